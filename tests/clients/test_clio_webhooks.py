import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.clients.clio.webhooks import (
    BY_MODEL,
    SUBSCRIPTIONS,
    Delivery,
    Handshake,
    Malformed,
    parse_delivery,
    signed,
    verify,
)

BODY = b'{"data":{"id":5,"etag":"\\"a\\"","state":"paid"},"meta":{"event":"updated","webhook_id":9}}'


def test_each_model_is_subscribed_to_once():
    assert len(BY_MODEL) == len(SUBSCRIPTIONS) == 6


def test_payments_bring_what_tells_two_deliveries_apart():
    assert BY_MODEL["clio_payments_payment"].fields == "id,state,updated_at"


def test_a_genuine_signature_is_accepted_under_any_live_secret():
    assert verify(BODY, signed(BODY, "new"), ["old", "new"])
    assert verify(BODY, signed(BODY, "old"), ["old", "new"])


GOOD = signed(BODY, "secret")


@pytest.mark.parametrize(
    "signature",
    [
        "",
        GOOD.upper(),
        f"sha256={GOOD}",
        f" {GOOD}",
        f"{GOOD}\n",
        f"{GOOD}, {GOOD}",
        GOOD[:-1],
        "0" * 64,
        "é" * 64,
        "\udcff",
    ],
)
def test_F20_any_other_signature_is_refused(signature):
    assert not verify(BODY, signature, ["secret"])


def test_F20_one_flipped_byte_is_refused():
    assert not verify(BODY.replace(b"5", b"6"), GOOD, ["secret"])


def test_F21_the_same_json_in_other_bytes_is_refused():
    assert not verify(json.dumps(json.loads(BODY)).encode(), GOOD, ["secret"])


def test_nothing_is_genuine_without_a_secret():
    assert not verify(BODY, signed(BODY, ""), [""])
    assert not verify(BODY, GOOD, [])


def test_a_delivery_says_which_object_to_look_at():
    delivery = parse_delivery(BODY)
    assert isinstance(delivery, Delivery)
    assert (delivery.webhook_id, delivery.event, delivery.object_id) == (9, "updated", 5)


def test_two_deliveries_are_the_same_only_when_their_bytes_are():
    other = BODY.replace(b"paid", b"void")
    assert parse_delivery(BODY).digest == parse_delivery(BODY).digest
    assert parse_delivery(BODY).digest != parse_delivery(other).digest


def test_a_handshake_names_the_webhook():
    assert parse_delivery(b'{"data":{"id":9}}') == Handshake(9)


BAD = {
    "empty": (b"", "not_json"),
    "not utf-8": (b"\xff\xfe\x00", "not_json"),
    "nan": (b'{"data":{"id":NaN}}', "not_json"),
    "endless number": (b'{"data":{"id":' + b"9" * 5000 + b"}}", "not_json"),
    "deep list": (b"[" * 10_000, "too_deep"),
    "deep object": (b'{"a":' * 10_000, "too_deep"),
    "list": (b"[]", "no_object"),
    "null": (b"null", "no_object"),
    "text": (b'"data"', "no_object"),
    "data null": (b'{"data":null,"meta":{"event":"updated","webhook_id":9}}', "no_object"),
    "data list": (b'{"data":[{"id":1}],"meta":{"event":"updated","webhook_id":9}}', "no_object"),
    "id text": (b'{"data":{"id":"5"},"meta":{"event":"updated","webhook_id":9}}', "no_object"),
    "id true": (b'{"data":{"id":true}}', "no_object"),
    "id float": (b'{"data":{"id":5.0}}', "no_object"),
    "id negative": (b'{"data":{"id":-5}}', "no_object"),
    "id too large": (b'{"data":{"id":9223372036854775808}}', "no_object"),
    "meta null": (b'{"data":{"id":5},"meta":null}', "no_event"),
    "meta empty": (b'{"data":{"id":5},"meta":{}}', "no_event"),
    "event number": (b'{"data":{"id":5},"meta":{"event":1,"webhook_id":9}}', "no_event"),
    "webhook text": (b'{"data":{"id":5},"meta":{"event":"updated","webhook_id":"9"}}', "no_event"),
    "unknown event": (b'{"data":{"id":5},"meta":{"event":"exploded","webhook_id":9}}', "unknown_event"),
    "duplicate id": (b'{"data":{"id":5,"id":6},"meta":{"event":"updated","webhook_id":9}}', "duplicate_key"),
    "duplicate data": (b'{"data":{"id":5},"data":{"id":6}}', "duplicate_key"),
}


@pytest.mark.parametrize(("body", "why"), BAD.values(), ids=BAD)
def test_F25_a_body_of_the_wrong_shape_is_malformed_with_its_reason(body, why):
    assert parse_delivery(body) == Malformed(why)


json_values = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["data", "meta", "id", "event", "webhook_id"]), inner))  # fmt: skip


@given(st.binary() | json_values.map(lambda value: json.dumps(value).encode()))
def test_F25_no_bytes_at_all_make_the_parser_fail(body):
    assert isinstance(parse_delivery(body), Delivery | Handshake | Malformed)
