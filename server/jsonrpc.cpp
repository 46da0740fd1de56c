#include "server/jsonrpc.hpp"

#include "base/json_string.hpp"
#include "base/limits.hpp"

#include <utility>

#include <nlohmann/json.hpp>

namespace interlock::server {
namespace {

using base::Json;

Refusal refuse(std::string id, int code, std::string message) {
    return Refusal{std::move(id), RpcError{code, std::move(message), {}}};
}

Incoming read_response(const Json& object, std::string id) {
    const bool has_result = object.contains("result");
    const bool has_error = object.contains("error");
    // An error answer may lack its id: its sender could not read ours.
    const bool id_stands = !id.empty() || (has_error && !object.contains("id"));
    if (has_result == has_error || !id_stands) {
        return refuse(
            std::move(id),
            rpc::invalid_request,
            "A message has a method, or an id with either a result or an error."
        );
    }
    Message message;
    message.kind = MessageKind::response;
    message.id = std::move(id);
    message.params = std::make_shared<const Json>();
    // A result that is no object answers nothing we ask: whoever waits is told that it failed.
    if (has_result && object["result"].is_object()) {
        message.result = base::render_json(object["result"]);
    }
    return message;
}

Incoming read_message(Json& value) {
    if (!value.is_object()) {
        return refuse({}, rpc::invalid_request, "A message is a JSON object.");
    }
    const Json* id_value = base::member(value, "id");
    std::string id = id_value != nullptr ? id_text(*id_value) : std::string{};
    if (base::string_member(value, "jsonrpc") != "2.0") {
        return refuse(std::move(id), rpc::invalid_request, "`jsonrpc` must be \"2.0\".");
    }
    if (!value.contains("method")) {
        return read_response(value, std::move(id));
    }
    auto method = base::string_member(value, "method");
    if (!method || value.contains("result") || value.contains("error")) {
        return refuse(
            std::move(id),
            rpc::invalid_request,
            "A request has a method that is a string, and neither result nor error."
        );
    }
    if (id_value != nullptr && id.empty()) {
        return refuse(
            {}, rpc::invalid_request, "An id is an integer or a string of at most 16 KiB."
        );
    }
    const auto params = value.find("params");
    if (params != value.end() && !params->is_object() && !params->is_null()) {
        return refuse(std::move(id), rpc::invalid_request, "`params` must be an object.");
    }
    Message message;
    message.kind = id.empty() ? MessageKind::notification : MessageKind::request;
    message.id = std::move(id);
    message.method = std::move(*method);
    message.params = params != value.end() ? std::make_shared<const Json>(std::move(*params))
                                           : std::make_shared<const Json>();
    return message;
}

Packet only(Incoming incoming, bool batch) {
    Packet packet;
    packet.batch = batch;
    packet.messages.push_back(std::move(incoming));
    return packet;
}

} // namespace

std::string id_text(const Json& value) {
    const bool stands = value.is_number_integer() ||
                        (value.is_string() && value.get_ref<const std::string&>().size() <=
                                                  base::limits::request_id_bytes_max);
    return stands ? base::render_json(value) : std::string{};
}

Packet parse_packet(std::string_view text) {
    auto parsed = base::parse_json(text);
    if (!parsed) {
        // Well-formed JSON that the strict reader refuses (duplicate keys, depth) is a bad request;
        // everything else is not JSON at all.
        const bool well_formed = Json::accept(text.begin(), text.end());
        return only(
            refuse(
                {},
                well_formed ? rpc::invalid_request : rpc::parse_error,
                "The message is not acceptable JSON: " + parsed.error().what
            ),
            /*batch=*/false
        );
    }
    Json& value = parsed.value();
    if (!value.is_array()) {
        return only(read_message(value), /*batch=*/false);
    }
    if (value.empty() || value.size() > base::limits::batch_messages_max) {
        return only(
            refuse({}, rpc::invalid_request, "A batch holds 1 to 32 messages."), /*batch=*/true
        );
    }
    Packet packet;
    packet.batch = true;
    for (Json& element : value) {
        packet.messages.push_back(read_message(element));
    }
    return packet;
}

std::string render_notification(std::string_view method, std::string_view params) {
    std::string out = R"({"jsonrpc":"2.0","method":)" + base::json_string(method);
    out.append(R"(,"params":)").append(params).append("}");
    return out;
}

std::string render_result(std::string_view id, std::string_view result) {
    constexpr std::size_t around = 40; // the members' names
    std::string out;
    out.reserve(around + id.size() + result.size());
    out.append(R"({"jsonrpc":"2.0","id":)")
        .append(id)
        .append(R"(,"result":)")
        .append(result)
        .append("}");
    return out;
}

std::string render_error_object(const RpcError& error) {
    std::string out = R"({"code":)" + std::to_string(error.code);
    out.append(R"(,"message":)").append(base::json_string(error.message));
    if (!error.data.empty()) {
        out.append(R"(,"data":)").append(error.data);
    }
    out.append("}");
    return out;
}

std::string render_error(std::string_view id, const RpcError& error) {
    std::string out = R"({"jsonrpc":"2.0",)";
    if (!id.empty()) {
        out.append(R"("id":)").append(id).append(",");
    }
    out.append(R"("error":)").append(render_error_object(error)).append("}");
    return out;
}

} // namespace interlock::server
