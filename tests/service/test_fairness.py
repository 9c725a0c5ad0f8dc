"""Turns go round clients; who waits too long is told; places are taken when the body is there."""

import asyncio
import contextlib
import socket
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import waiting
from held import Held
from mien.errors import RequestError, TooLargeError
from mien.media.picture_structure import announced_pixels, is_plain_jpeg
from mien.recognition.recognizer import Recognizer
from mien.service.guard import client_of
from mien.service.limits import Limits
from mien.service.places import Places
from mien.service.turns import Turns
from waiting import HANG, wait_for


def served(jobs, workers=1, cancelled=()):
    """The order in which jobs, (client, pixels), get their turns; all come while the first one is worked on."""
    order = []

    async def work(turns, number, client, pixels):
        turn = await turns.take(client, pixels)
        try:
            order.append(number)
            await asyncio.sleep(0)
        finally:
            turns.release(turn)

    async def run():
        turns = Turns(workers, 20)
        busy = await turns.take("busy", 1)
        tasks = [asyncio.create_task(work(turns, number, *job)) for number, job in enumerate(jobs)]
        await asyncio.sleep(0)
        for number in cancelled:
            tasks[number].cancel()
        turns.release(busy)
        await asyncio.gather(*tasks, return_exceptions=True)
        for _ in range(workers):  # all places are free again
            await turns.take("last", 1)

    asyncio.run(run())
    return order


def test_one_picture_comes_before_the_rest_of_many():
    assert served([("many", 10**6)] * 5 + [("one", 10**6)]).index(5) <= 1


def test_large_pictures_count_for_more():
    order = served([("large", 10**7)] * 5 + [("small", 10**6)] * 5)
    assert order.index(9) < order.index(2)


def test_of_one_client_the_order_stays():
    assert served([("one", 10**6)] * 5) == [0, 1, 2, 3, 4]


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 2 * 10**7)), max_size=12),
    st.integers(1, 3),
    st.sets(st.integers(0, 11)),
)
def test_every_job_gets_its_turn_and_no_place_is_lost(jobs, workers, cancelled):
    cancelled = {number for number in cancelled if number < len(jobs)}
    order = served(jobs, workers, cancelled)
    assert len(set(order)) == len(order)
    assert set(range(len(jobs))) - cancelled <= set(order)


def test_who_waits_too_long_is_told():
    async def run():
        turns = Turns(1, 0.01)
        busy = await turns.take("busy", 1)
        with pytest.raises(RequestError, match="no worker was free") as raised:
            await turns.take("other", 1)
        assert raised.value.status == 503
        turns.release(busy)
        await turns.take("other", 1)

    asyncio.run(run())


def test_a_large_picture_leaves_one_worker_free():
    async def run():
        turns = Turns(2, HANG)
        first = await turns.take("large", 10**7)
        second = asyncio.create_task(turns.take("large", 10**7))
        small = await asyncio.wait_for(turns.take("small", 10**5), HANG)
        assert not second.done()
        turns.release(small)
        assert not second.done()
        turns.release(first)
        await asyncio.wait_for(second, HANG)

    asyncio.run(run())


def test_who_ended_a_worker_leaves_one_free_for_a_while():
    now = [0.0]

    async def run():
        turns = Turns(2, HANG, clock=lambda: now[0])
        turns.blame("hostile")
        first = await turns.take("hostile", 1)
        second = asyncio.create_task(turns.take("hostile", 1))
        turns.release(await asyncio.wait_for(turns.take("other", 1), HANG))
        assert not second.done()
        turns.release(first)
        first = await asyncio.wait_for(second, HANG)
        now[0] = 31.0
        await asyncio.wait_for(turns.take("hostile", 1), HANG)

    asyncio.run(run())


def test_a_costly_picture_is_refused_after_a_short_wait():
    async def run():
        turns = Turns(1, HANG, hurried=0.01)
        busy = await turns.take("busy", 1)
        cheap = asyncio.create_task(turns.take("other", 1))
        with pytest.raises(RequestError, match="no worker was free"):
            await turns.take("other", 1, costly=True)
        assert not cheap.done()
        turns.release(busy)
        turns.release(await asyncio.wait_for(cheap, HANG))
        turn = await turns.take("other", 1, costly=True)
        assert turn.costly
        assert turn.hurried

    asyncio.run(run())


def test_what_waited_elsewhere_is_taken_off():
    now = [10.0]

    async def run():
        turns = Turns(1, 20, hurried=2.0, clock=lambda: now[0])
        turn = await turns.take("other", 1, costly=True, since=9.0)
        assert turn.waited == 1.0
        turns.release(turn)
        with pytest.raises(RequestError, match="no worker was free"):  # though one is
            await turns.take("other", 1, costly=True, since=8.0)
        await turns.take("other", 1, since=8.0)

    asyncio.run(run())


def test_pictures_of_who_ended_a_worker_do_not_wait_long_any_more():
    async def run():
        turns = Turns(1, HANG, hurried=0.01)
        await turns.take("hostile", 1)
        waiting_one, other = (asyncio.create_task(turns.take(client, 1)) for client in ("hostile", "other"))
        await asyncio.sleep(0)
        turns.blame("hostile")
        with pytest.raises(RequestError, match="no worker was free"):
            await asyncio.wait_for(waiting_one, HANG)
        assert not other.done()
        other.cancel()

    asyncio.run(run())


def test_pixels_of_one_address_are_bounded():
    places = Places(Limits(pixels=10, pixels_per_client=25))
    with pytest.raises(TooLargeError, match="send fewer at a time"), places.work("one", 26):
        pass
    with places.work("one", 20), places.work("other", 25):
        with pytest.raises(RequestError, match="rate limit") as raised, places.work("one", 6):
            pass
        assert raised.value.status == 429
        with places.work("one", 5):
            pass
    with places.work("one", 25):
        pass


def test_a_form_of_too_many_pixels_is_refused_before_it_is_decoded(serve, picture, tmp_path):
    detector = Held(tmp_path)
    files = [("picture", ("a.png", picture("PNG", (100, 100)), "image/png"))] * 4
    with serve(Recognizer(Even(), detector), limits={"pixels": 15_000, "pixels_per_client": 35_000}) as address:
        answer = waiting.post(f"http://{address}/v1/predict", files=files)
        assert answer.status_code == 413
        assert "send fewer at a time" in answer.json()["error"]
        assert detector.widths == []


@pytest.mark.parametrize(
    ("form", "options", "plain"),
    [("JPEG", {}, True), ("JPEG", {"progressive": True}, False), ("PNG", {}, False)],
)
def test_which_pictures_are_decoded_quickly_is_known(picture, form, options, plain):
    assert is_plain_jpeg(picture(form, (301, 203), **options)) == plain
    assert not is_plain_jpeg(picture(form)[:6])


@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "BMP", "WEBP", "AVIF"])
def test_the_pixels_of_a_picture_are_known_before_it_is_decoded(picture, form):
    assert announced_pixels(picture(form, (301, 203))) == 301 * 203
    assert announced_pixels(picture(form)[:6]) == 0


HEAD = b"POST /v1/predict HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: image/png\r\ncontent-length: 1000\r\n\r\nx"


def test_a_body_that_does_not_come_holds_no_place(serve, picture):
    with serve(limits={"requests": 1, "body_seconds": HANG}) as address, contextlib.ExitStack() as connections:
        host, port = address.split(":")
        for _ in range(4):
            connections.enter_context(socket.create_connection((host, int(port)))).sendall(HEAD)
        wait_for(lambda: "mien_requests_in_flight 5.0" in waiting.get(f"http://{address}/metrics").text)
        options = {"content": picture("PNG"), "headers": {"content-type": "image/png"}}
        assert waiting.post(f"http://{address}/v1/predict", **options).status_code == 200


def test_the_bytes_that_one_address_may_hold_are_bounded(serve, picture):
    content = picture("BMP", (100, 100))
    options = {"content": content, "headers": {"content-type": "image/bmp"}}
    with serve(limits={"buffered": 2 * len(content) - 2}) as address:
        answer = waiting.post(f"http://{address}/v1/predict", **options)
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "1"
    with serve(limits={"buffered": 2 * len(content)}) as address:
        for _ in range(3):  # what was answered is dropped
            assert waiting.post(f"http://{address}/v1/predict", **options).status_code == 200


def test_a_picture_that_finds_no_worker_in_time_gets_503(serve, picture, tmp_path):
    detector = Held(tmp_path)
    options = {"content": picture("PNG"), "headers": {"content-type": "image/png"}}
    with serve(Recognizer(Even(), detector), limits={"queue_seconds": 0.2}) as address:
        url = f"http://{address}/v1/predict"
        answered = []

        def ask_until_answered():
            answered.append(wait_for(lambda: waiting.post(url, **options).status_code == 200))

        threads = [threading.Thread(target=ask_until_answered) for _ in range(2)]
        for thread in threads:
            thread.start()
        wait_for(lambda: len(detector.widths) == 2)  # as many as there are workers
        assert [waiting.post(url, **options).status_code for _ in range(2)] == [503, 503]
        detector.let_go()
        for thread in threads:
            thread.join(HANG)
    assert answered == [True, True]


class Even:
    """Every face shows everything."""

    def probabilities(self, faces):
        return np.full((len(faces), 7), 1 / 7)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("2001:db8:0:1::5", "2001:db8:0:1:ffff:ffff:ffff:ffff", True),
        ("2001:db8:0:1::5", "2001:db8:0:2::5", False),
        ("fe80::1%eth0", "fe80::2%eth1", True),
        ("unknown", "testclient", False),
    ],
)
def test_addresses_of_one_customer_are_one_client(one, other, same):
    scopes = [{"client": (address, 1)} for address in (one, other)]
    assert (client_of(scopes[0]) == client_of(scopes[1])) is same
