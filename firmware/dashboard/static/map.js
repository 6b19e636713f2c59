// A map without a map service: the scene's own roads and places, home, and the car as far as somebody may know.

import "./vendor/leaflet/leaflet.js";

const L = window.L;
const still = matchMedia("(prefers-reduced-motion: reduce)").matches;

export function makeMap(element) {
  const map = L.map(element, { attributionControl: false, zoomAnimation: !still, fadeAnimation: !still,
    markerZoomAnimation: !still, inertia: !still, scrollWheelZoom: false, minZoom: 8, maxZoom: 18, zoomSnap: 0.25 });
  const car = L.circleMarker([0, 0], { radius: 8, className: "here" });
  const track = L.polyline([], { className: "track" });
  const way = L.polyline([], { className: "way" });
  let drawn = "";
  let whole = null;
  let followed = false;

  return {
    draw(layout) {
      const wanted = JSON.stringify(layout);
      if (wanted === drawn) return;
      drawn = wanted;
      whole = L.latLngBounds([layout.home]);
      for (const road of layout.roads) L.polyline(road, { className: "road", interactive: false }).addTo(map);
      L.circle(layout.home, { radius: layout.home_radius_m, className: "home", interactive: false }).addTo(map);
      for (const { name, at } of layout.places) {
        whole.extend(at);
        L.circleMarker(at, { radius: 4, className: "place", interactive: false }).addTo(map)
          .bindTooltip(name, { permanent: true, direction: "right", offset: [6, 0] });
      }
      map.fitBounds(whole, { padding: [24, 24], animate: false });
      for (const layer of [track, way]) layer.addTo(map);
      new ResizeObserver(() => map.invalidateSize({ animate: false })).observe(element);
    },
    put(place, more = {}) {
      track.setLatLngs(more.track ?? []);
      way.setLatLngs(more.way ?? []);
      element.toggleAttribute("data-veil", Boolean(more.veil));
      if (more.veil) element.dataset.veil = more.veil;
      if (!place) {
        car.remove();
        return;
      }
      car.setLatLng(place.at).addTo(map);
      car.getElement()?.classList.toggle("old", place.old);
      if (!followed || !map.getBounds().pad(-0.08).contains(place.at)) {
        map.setView(place.at, followed ? map.getZoom() : 12, { animate: !still && followed });
        followed = true;
      }
    },
  };
}
