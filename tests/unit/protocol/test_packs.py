"""The table of Belgium and Luxembourg, line by line as the source has it."""

import pytest

from protocol.packs import TABLES, Service

SOURCE = """\
6AK ConnectedDrive Services
  customer-hotline Illimité
  intelligent-voice-control 3 Ans
  my-info Illimité
  apps 3 Ans
  send-to-car 3 Ans
6AG MINI eDrive Services
  edrive 5 Ans
6AC Intelligent Emergency Call
  intelligent-emergency-call Illimité
6AF Legal Emergency Call
  legal-emergency-call Illimité
606/6UM USB Mises à jour des cartes
  usb-map-updates 3 Ans
6AM Real Time Traffic Information
  online-routing 3 Ans
  real-time-traffic 3 Ans
  on-street-parking 3 Ans
6AN Service Conciergerie
  concierge 3 Ans
6AP Remote Services
  remote-services Illimité
7GG Connected Media
  my-info Illimité
  remote-services Illimité
  apps 3 Ans
7GH Connected Navigation
  my-info Illimité
  online-routing 3 Ans
  remote-services Illimité
  real-time-traffic 3 Ans
  send-to-car Illimité
  apps 3 Ans
7GK Connected Navigation Plus
  concierge 3 Ans
  my-info Illimité
  online-routing 3 Ans
  remote-services Illimité
  real-time-traffic 3 Ans
  send-to-car Illimité
  apps 3 Ans
6FP Radio MINI Visual Boost
  customer-hotline Illimité
  intelligent-emergency-call Illimité
  legal-emergency-call Illimité
  teleservices Illimité
6UM Système Navigation
  customer-hotline Illimité
  intelligent-emergency-call Illimité
  legal-emergency-call Illimité
  usb-map-updates 3 Ans
  teleservices Illimité
"""
"""Read off the page; the names of services are those of `Service`."""

WORDS = {0: "Illimité", 36: "3 Ans", 60: "5 Ans"}
BELGIUM = TABLES["BE", "2021-05-10"]


@pytest.mark.req("SVC-1")
def test_the_table_is_that_of_the_source() -> None:
    lines: list[str] = []
    for pack in BELGIUM.packs:
        lines.append(f"{'/'.join(pack.codes)} {pack.name}")
        lines.extend(f"  {service} {WORDS[months]}" for service, months in pack.services)
    assert "\n".join(lines) + "\n" == SOURCE


@pytest.mark.req("SVC-1")
def test_belgium_and_luxembourg_have_the_same_packs_and_are_each_others_home() -> None:
    assert TABLES["LU", "2021-05-10"] is BELGIUM
    assert BELGIUM.home == {206, 270}
    assert {revision for _, revision in TABLES} == {BELGIUM.revision}


@pytest.mark.req("SVC-1")
def test_a_code_that_was_given_twice_buys_both() -> None:
    assert [pack.name for pack in BELGIUM.packs_of("6UM")] == ["USB Mises à jour des cartes", "Système Navigation"]
    assert [pack.name for pack in BELGIUM.packs_of("606")] == ["USB Mises à jour des cartes"]
    assert BELGIUM.packs_of("6XX") == ()


@pytest.mark.req("SVC-1")
def test_what_the_source_lists_and_no_pack_contains_is_known() -> None:
    contained = {service for pack in BELGIUM.packs for service, _ in pack.services}
    assert set(Service) - contained == {Service.REPAIR_INFORMATION, Service.ROADSIDE_ASSISTANCE}
