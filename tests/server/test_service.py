"""The service as a caller meets it: with the real planner in its workers."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import grpc
import pytest
from builders import tiny_request_pb
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_status import rpc_status

from scheduler.client import CallError, Client
from scheduler.errors import InvalidRequestError
from scheduler.server.status import DETAILS_BYTES
from scheduler.v1 import scheduler_pb2 as pb
from scheduler.wire.json import response_to_json

PROTOS = Path(__file__).resolve().parents[2] / "protos"
SERVICE = "scheduler.v1.SchedulerService"


@pytest.fixture(scope="module")
def client(address):
    with Client(address, timeout_seconds=30) as opened:
        yield opened


def broken_request_pb(count=1):
    """A request in which so many moves take less than no time."""
    request = tiny_request_pb()
    group = request.problem.sites[0].assets[0].miner_group
    for i in range(count):
        group.modes.add(id=f"mode-{i}", kind="MODE_KIND_MINING", power_w=-1.0, hashrate_ths=1.0)
    return request


def test_schedule_answers_with_a_proven_plan(client):
    result = client.schedule(tiny_request_pb())
    assert result.objective == result.plan.objective > 0
    assert len(result.dispatch()) == 4
    answer = result.response
    assert answer.WhichOneof("outcome") == "plan"
    assert answer.request_id == "tiny"
    assert answer.solve.stop_reason == pb.STOP_REASON_PROVEN
    assert answer.solve.objective == answer.plan.objective > 0
    assert len(answer.problem_digest) == len(answer.plan_digest) == 64


def test_stream_tells_phases_and_ends_with_the_same_plan(client):
    events = list(client.stream_schedule(tiny_request_pb()))
    assert [event.phase for event in events if event.phase] == ["validate", "build", "solve", "audit"]
    assert events[-1].result.plan_digest == client.schedule(tiny_request_pb()).response.plan_digest


def test_schedule_tells_the_news_of_the_stream(client):
    news = []
    assert client.schedule(tiny_request_pb(), tell=news.append).outcome == "plan"
    assert {item.phase for item in news} == {"validate", "build", "solve", "audit"}


def test_stream_refuses_a_malformed_request(client):
    with pytest.raises(InvalidRequestError):
        list(client.stream_schedule(broken_request_pb()))


def test_validate_says_everything(client):
    assert client.validate(tiny_request_pb()) == ()
    request = broken_request_pb()
    request.options.seed = 2**31
    fields = {violation.field for violation in client.validate(request)}
    assert {"options.seed", "problem.sites[0].assets[0].miner_group.modes[2].power_w"} <= fields


def test_audit_passes_our_plan_and_refuses_a_better_looking_one(client):
    answer = client.schedule(tiny_request_pb()).response
    question = pb.AuditRequest(problem=tiny_request_pb().problem, plan=answer.plan, solve=answer.solve)
    sound = client.audit(question)
    assert not sound.violations
    assert sound.recomputed_objective == pytest.approx(answer.solve.objective)
    question.plan.objective += 1.0
    assert client.audit(question).violations


def test_audit_holds_a_proof_against_the_gap_that_was_asked_for(client):
    answer = client.schedule(tiny_request_pb()).response
    question = pb.AuditRequest(problem=tiny_request_pb().problem, plan=answer.plan, solve=answer.solve)
    question.solve.bound = answer.solve.objective + 0.01 * abs(answer.solve.objective) + 0.02
    question.solve.ClearField("gap")
    assert [violation.rule for violation in client.audit(question).violations] == ["proof"]
    question.options.rel_gap = 0.05
    assert not client.audit(question).violations


def test_violations_come_with_the_status(client):
    with pytest.raises(InvalidRequestError) as caught:
        client.schedule(broken_request_pb())
    assert [(violation.field, violation.rule) for violation in caught.value.violations] == [
        ("problem.sites[0].assets[0].miner_group.modes[2].power_w", "range")
    ]


def test_more_violations_than_a_header_holds_are_counted(client, channel):
    request = broken_request_pb(60)
    with pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary(f"/{SERVICE}/Schedule")(request.SerializeToString(), timeout=30)
    status = rpc_status.from_call(caught.value)
    detail = error_details_pb2.BadRequest()
    assert status.details[0].Unpack(detail)
    assert detail.ByteSize() <= DETAILS_BYTES + 200
    listed, said = len(detail.field_violations), detail.field_violations[-1].description
    everything = len(client.validate(request))
    assert everything >= 60 > listed
    assert said == f"{everything - listed + 1} more: Validate lists them all"


@pytest.mark.parametrize("payload", [b"\x23\x00\x00\x24", b"\xff" * 100, b"\n\x05short", b"\x12\x02\x0a\xff"])
@pytest.mark.parametrize("method", ["Schedule", "Audit"])
def test_random_bytes_are_refused_and_the_server_goes_on(client, channel, payload, method):
    with pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary(f"/{SERVICE}/{method}")(payload, timeout=30)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert client.validate(tiny_request_pb()) == ()


@pytest.mark.parametrize("method", ["Schedule", "StreamSchedule", "Validate"])
def test_fields_of_a_later_version_are_refused_wherever_they_stand(channel, method):
    kinds = {"Schedule": pb.ScheduleRequest, "StreamSchedule": pb.StreamScheduleRequest, "Validate": pb.ValidateRequest}
    own = tiny_request_pb() if method == "Schedule" else kinds[method](request=tiny_request_pb())
    payload = own.SerializeToString() + b"\xa2\x06\x01x"  # field 100
    call = channel.unary_stream if method == "StreamSchedule" else channel.unary_unary
    with pytest.raises(grpc.RpcError) as caught:
        answer = call(f"/{SERVICE}/{method}")(payload, timeout=30)
        list(answer)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "field number 100 is not known" in str(rpc_status.from_call(caught.value).details[0])


def test_an_empty_request_is_refused(client):
    with pytest.raises(InvalidRequestError, match="problem"):
        client.schedule(pb.ScheduleRequest())


def test_health_and_reflection(channel):
    health = health_pb2_grpc.HealthStub(channel)
    for name in ("", SERVICE):
        answer = health.Check(health_pb2.HealthCheckRequest(service=name), timeout=10)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
    questions = iter([reflection_pb2.ServerReflectionRequest(list_services="")])
    answers = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(questions, timeout=10)
    names = {service.name for service in next(iter(answers)).list_services_response.service}
    assert {SERVICE, "grpc.health.v1.Health"} <= names


@pytest.mark.parametrize("schema", ["protos", "reflection"])
def test_buf_can_call(address, schema):
    buf = shutil.which("buf") or shutil.which("buf", path=Path(sys.executable).parent)
    if buf is None:
        pytest.skip("buf is not installed: it comes with the package buf-bin of the development lock")
    where = ["--schema", str(PROTOS)] if schema == "protos" else []
    command = [buf, "curl", "--protocol", "grpc", "--http2-prior-knowledge", *where, "--data", "@-"]
    result = subprocess.run(
        [*command, f"http://{address}/{SERVICE}/Schedule"],
        input=response_to_json(tiny_request_pb()),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["plan"]["objective"] > 0


def test_nobody_there():
    with Client("127.0.0.1:1", timeout_seconds=5) as client, pytest.raises(CallError) as caught:
        client.schedule(tiny_request_pb())
    assert caught.value.code == "UNAVAILABLE"
