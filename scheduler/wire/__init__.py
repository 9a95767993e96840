"""Protobuf to value types and back; nothing else in the package reads or writes the fields of a message.

request: schedule_request_from_pb, audit_request_from_pb, request_from_bytes
response: schedule_to_pb, audit_to_pb, violations_to_pb
problem, plan, options: each both ways
json: schedule_request_from_json, response_to_json
"""
