#include "server/era.hpp"

#include "base/digest.hpp"
#include "base/text.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

namespace interlock::server {
namespace {

using base::Json;

RpcError mismatch(std::string message) {
    return RpcError{rpc::header_mismatch, std::move(message), {}};
}

bool looks_like_revision(std::string_view text) {
    if (text.size() != modern_version.size()) {
        return false;
    }
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool dash = i == 4 || i == 7;
        if (dash ? text[i] != '-' : (text[i] < '0' || text[i] > '9')) {
            return false;
        }
    }
    return true;
}

bool names_modern(const HeaderValue& header) {
    return header.count > 0 && looks_like_revision(header.value) && header.value >= modern_version;
}

/// `_meta` of a modern request must say its version and what the client can do.
std::optional<RpcError> check_meta(const Json* fields) {
    const bool complete = fields != nullptr && base::string_member(*fields, meta::version) &&
                          base::member(*fields, meta::capabilities) != nullptr &&
                          base::member(*fields, meta::capabilities)->is_object();
    if (complete) {
        return std::nullopt;
    }
    return RpcError{
        rpc::invalid_params,
        "params._meta must hold io.modelcontextprotocol/protocolVersion (string) and "
        "io.modelcontextprotocol/clientCapabilities (object).",
        {}};
}

/// The body member that Mcp-Name mirrors, by method; nullptr when the method has none.
const char* mirrored_member(std::string_view method) {
    if (method == "tools/call" || method == "prompts/get") {
        return "name";
    }
    if (method == "tasks/get" || method == "tasks/update" || method == "tasks/cancel") {
        return "taskId";
    }
    return method == "resources/read" ? "uri" : nullptr;
}

std::optional<RpcError> check_name_header(const Message& message, const HeaderValue& header) {
    const char* member_name = mirrored_member(message.method);
    if (member_name == nullptr) {
        return std::nullopt;
    }
    const auto in_body = base::string_member(*message.params, member_name);
    if (header.count == 0 && !in_body) {
        return std::nullopt; // nothing to mirror: the parameters themselves are wrong
    }
    if (header.count != 1) {
        return mismatch("Exactly one Mcp-Name header is required for this method.");
    }
    const auto named = decode_header_name(header.value);
    if (!named || !in_body || *named != *in_body) {
        return mismatch("The Mcp-Name header does not match the body.");
    }
    return std::nullopt;
}

std::optional<RpcError> check_headers(const Message& message, const RequestHeaders& headers) {
    const auto version = base::string_member(*meta_of(message), meta::version);
    if (headers.version.count != 1 || headers.version.value != *version) {
        return mismatch("The MCP-Protocol-Version header does not match the body.");
    }
    if (headers.method.count != 1 || headers.method.value != message.method) {
        return mismatch("The Mcp-Method header is missing or does not match the body.");
    }
    return check_name_header(message, headers.name);
}

std::optional<RpcError> check_version(const std::string& requested) {
    if (requested == modern_version) {
        return std::nullopt;
    }
    const Json data{{"supported", Json::array({modern_version})}, {"requested", requested}};
    return RpcError{
        rpc::unsupported_version,
        "This protocol version is not supported.",
        base::render_json(data)};
}

/// No notification is defined for modern clients over HTTP; one that contradicts its own headers is
/// still refused.
std::optional<RpcError> check_notification(const Message& message, const RequestHeaders& headers) {
    if (headers.version.count != 1) {
        return mismatch("Exactly one MCP-Protocol-Version header is required.");
    }
    if (headers.method.count > 0 && headers.method.value != message.method) {
        return mismatch("The Mcp-Method header does not match the body.");
    }
    return check_version(headers.version.value);
}

std::optional<RpcError> check_modern(const Message& message, const RequestHeaders* headers) {
    const Json* fields = meta_of(message);
    if (message.kind == MessageKind::response) {
        return RpcError{rpc::invalid_request, "This protocol version has no client responses.", {}};
    }
    if (message.kind == MessageKind::notification) {
        return headers != nullptr ? check_notification(message, *headers) : std::nullopt;
    }
    if (headers != nullptr && headers->version.count == 0) {
        return mismatch("The MCP-Protocol-Version header is required.");
    }
    if (auto refusal = check_meta(fields)) {
        return refusal;
    }
    if (headers != nullptr) {
        if (auto refusal = check_headers(message, *headers)) {
            return refusal;
        }
    }
    return check_version(*base::string_member(*fields, meta::version));
}

} // namespace

Classified classify(const Message& message, const RequestHeaders* headers) {
    const Json* fields = meta_of(message);
    const bool in_body = fields != nullptr && base::member(*fields, meta::version) != nullptr;
    const bool in_header = headers != nullptr && names_modern(headers->version);
    if (!in_body && !in_header) {
        return {Era::legacy, std::nullopt};
    }
    return {Era::modern, check_modern(message, headers)};
}

bool is_legacy_version(std::string_view version) {
    return std::find(legacy_versions.begin(), legacy_versions.end(), version) !=
           legacy_versions.end();
}

const Json* meta_of(const Message& message) {
    const Json* fields = base::member(*message.params, "_meta");
    return fields != nullptr && fields->is_object() ? fields : nullptr;
}

std::optional<std::string> decode_header_name(std::string_view value) {
    constexpr std::string_view prefix = "=?base64?";
    constexpr std::string_view suffix = "?=";
    const bool wrapped = value.size() >= prefix.size() + suffix.size() &&
                         value.starts_with(prefix) && value.ends_with(suffix);
    if (!wrapped) {
        return std::string(value);
    }
    value.remove_prefix(prefix.size());
    value.remove_suffix(suffix.size());
    auto decoded = base::from_base64(value);
    if (!decoded || !base::is_utf8(decoded.value())) {
        return std::nullopt;
    }
    return std::move(decoded).value();
}

} // namespace interlock::server
