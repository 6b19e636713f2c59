// This run's key. It stands behind # in the address that the program printed, and nowhere in what the server serves.

const KEPT = "sharebox-key";
const FORM = /^#[\w-]{32}$/;

function given() {
  return FORM.test(location.hash) ? location.hash.slice(1) : null;
}

if (given()) sessionStorage.setItem(KEPT, given()); // a link within the page takes it from the address
addEventListener("hashchange", () => {
  if (given()) location.reload(); // the address of another run, opened in this tab
});

const key = sessionStorage.getItem(KEPT) ?? "";

export const withKey = (headers = {}) => ({ ...headers, "X-Sharebox-Key": key });
