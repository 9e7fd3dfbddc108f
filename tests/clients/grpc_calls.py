"""grpcio on both sides of a gateway: calls of every kind, and how its faults are told. FRONT is host:port, BACK a port."""

import sys
import threading
import time
from concurrent import futures

import grpc

FRONT, BACK = sys.argv[1], sys.argv[2]
GIVEN_UP = threading.Event()


def same(message):
    return message


def unary(request, context):
    return b"echo:" + request + dict(context.invocation_metadata()).get("x-own", "").encode()


def several(_, context):
    context.set_trailing_metadata((("x-end", "yes"),))
    for number in range(5):
        time.sleep(0.02)
        yield b"%d" % number


def count(requests, _):
    return b"%d" % sum(len(request) for request in requests)


def talk(requests, _):
    for request in requests:
        yield b"got " + request


def fail(_, context):
    context.abort(grpc.StatusCode.FAILED_PRECONDITION, "não: 100%")


def wait(_, context):
    over = threading.Event()
    context.add_callback(lambda: (GIVEN_UP.set(), over.set()))
    over.wait(10)
    return b""


class Service(grpc.GenericRpcHandler):
    """By the last part of the path, so that a prefix does not matter."""

    METHODS = {
        "Unary": grpc.unary_unary_rpc_method_handler(unary, same, same),
        "Several": grpc.unary_stream_rpc_method_handler(several, same, same),
        "Count": grpc.stream_unary_rpc_method_handler(count, same, same),
        "Talk": grpc.stream_stream_rpc_method_handler(talk, same, same),
        "Fail": grpc.unary_unary_rpc_method_handler(fail, same, same),
        "Wait": grpc.unary_unary_rpc_method_handler(wait, same, same),
    }

    def service(self, details):
        return self.METHODS.get(details.method.rsplit("/", 1)[-1])


def must_fail(code, call, text=None):
    try:
        answer = call()
    except grpc.RpcError as error:
        assert error.code() == code, error
        assert text is None or text in error.details(), error
        return
    raise AssertionError(f"expected {code}, got {answer}")


def main():
    server = grpc.server(futures.ThreadPoolExecutor(20))
    server.add_generic_rpc_handlers((Service(),))
    assert server.add_insecure_port(f"127.0.0.1:{BACK}")
    server.start()
    channel = grpc.insecure_channel(FRONT)

    def ask(path, request=b"", wait_for=5, **more):
        return channel.unary_unary(path, same, same)(request, timeout=wait_for, **more)

    code = grpc.StatusCode
    assert ask("/t.T/Unary", b"hi", metadata=(("x-own", "!"),)) == b"echo:hi!"
    call = channel.unary_stream("/t.T/Several", same, same)(b"", timeout=5)
    assert list(call) == [b"0", b"1", b"2", b"3", b"4"]
    assert ("x-end", "yes") in [tuple(pair) for pair in call.trailing_metadata()]
    pieces = (b"x" * 100_000 for _ in range(30))
    assert channel.stream_unary("/t.T/Count", same, same)(pieces, timeout=20) == b"3000000"

    heard = []

    def said():
        for number in range(5):
            yield b"%d" % number
            while len(heard) <= number:
                time.sleep(0.01)

    for answer in channel.stream_stream("/t.T/Talk", same, same)(said(), timeout=10):
        heard.append(answer)
    assert heard == [b"got %d" % number for number in range(5)]

    must_fail(code.FAILED_PRECONDITION, lambda: ask("/t.T/Fail"), "não: 100%")
    must_fail(code.UNIMPLEMENTED, lambda: ask("/t.T/Nothing"))
    must_fail(code.DEADLINE_EXCEEDED, lambda: ask("/t.T/Wait", wait_for=0.5))
    assert GIVEN_UP.wait(2), "the server works on for nobody"
    must_fail(code.UNIMPLEMENTED, lambda: ask("/nowhere.T/Unary"), "no-route")
    must_fail(code.UNAUTHENTICATED, lambda: ask("/closed.T/Unary"), "unauthenticated")
    must_fail(code.DEADLINE_EXCEEDED, lambda: ask("/slow.T/Wait"), "upstream-timeout")
    must_fail(code.UNAVAILABLE, lambda: ask("/gone.T/Unary"), "bad-gateway")
    with futures.ThreadPoolExecutor(50) as pool:
        answers = pool.map(lambda number: ask("/t.T/Unary", b"%d" % number, 20), range(200))
        assert list(answers) == [b"echo:%d" % number for number in range(200)]
    server.stop(0)


if __name__ == "__main__":
    main()
