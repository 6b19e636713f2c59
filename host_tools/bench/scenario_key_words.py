"""What can be said in a scenario of keys, owners, services and emergency calls: a part of `scenario_words`."""

from typing import Final

from host_tools.bench.phrases import Phrase

STANDINGS: Final = ("waiting for its code", "good", "deleted and still good", "not listed")
"""What the vehicle's menu says of a shared key."""
SHOWN: Final = ("key", "booking")
SIMS: Final = ("active", "emergency call only", "blocked")
CALLS: Final = ("none", "waiting", "under way", "acknowledged", "cancelled", "stale", "impossible")

ACTIONS: Final = (
    Phrase("{who} shows the {shown}", "show", "from now on the phone connects with its `key`, or with its `booking`"),
    Phrase("{who} asks for the shared keys", "list_keys", "as the main user's phone lists them"),
    Phrase("{who} tests the module", "self_test", "a dealer's self-test, with a signed report"),
    Phrase("{who} shares a key with {person}", "share", "unlock, drive and lock, for a month, without a code"),
    Phrase("{who} shares a key with {person}: {terms}", "share_with", "with such terms: see the list below"),
    Phrase("{person}'s code is entered", "enter_code", "in the vehicle's menu"),
    Phrase("a wrong code is entered", "enter_wrong_code", "in the vehicle's menu"),
    Phrase("{person}'s key is deactivated", "deactivate", "in the vehicle's menu"),
    Phrase(
        "backend gives {person} a key", "give_key", "a standing key: an owner's, or a dealer's; on the phone at once"
    ),
    Phrase("backend deletes {person}'s key", "delete", "the list over the broker: it goes on until the key cycle"),
    Phrase("backend deletes {person}'s key at once", "delete_now", "the same: it goes on no longer"),
    Phrase("backend deletes {person}'s key after the drive", "delete_late", "the same: 48 h at most"),
    Phrase(
        "backend writes the deletion of {person}'s key", "write_deletion", "until the key cycle; for somebody to bring"
    ),
    Phrase("backend couples the car to {person}", "couple", "an order over the broker, as all of these"),
    Phrase("backend couples the car to {person} with the VIN {vin}", "couple_vin", "the same, with another VIN"),
    Phrase("backend removes the owner {person}", "remove_owner", "the car belongs to nobody"),
    Phrase("backend lets {person} take the car over", "take_over", "without the previous owner"),
    Phrase("backend removes the driver {person}", "remove_driver", "from the list of those who share the car"),
    Phrase("backend lets {number} others drive", "drivers", "each boards with a booking of a minute, and ends it"),
    Phrase("backend sells the packs {packs}", "sell", "connected services, for a car that was registered that day"),
    Phrase("backend sells no services", "sell_nothing", "the base services are deactivated: the SIM is blocked"),
    Phrase("backend sends a destination", "send_to_car", "to the navigation of the car"),
)
CLAIMS: Final = (
    Phrase("menu takes it", "menu_takes", "what was entered in the vehicle's menu last was carried out"),
    Phrase("menu refuses {code}", "menu_refuses", "it was refused with this code"),
    Phrase("{person}'s key is {standing}", "key_is", "what the vehicle's menu says of it"),
    Phrase("{who} sees {number} shared keys", "sees_keys", "the last list had so many"),
    Phrase("{who} sees no shared keys", "sees_no_keys", "the last list was empty"),
    Phrase("{who} has a report", "has_report", "signed by this module: every test was passed"),
    Phrase("{who} has a report of a failure", "has_bad_report", "the same: some test was not passed"),
    Phrase("car belongs to {person}", "belongs", "by the last coupling or takeover"),
    Phrase("car belongs to nobody", "belongs_to_nobody", "no owner is coupled"),
    Phrase("SIM is {sim}", "sim", "what the mobile connection may be used for"),
    Phrase("emergency call is {call}", "call_is", "the last one"),
)
