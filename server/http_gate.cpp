#include "server/http_gate.hpp"

#include "base/text.hpp"
#include "server/identity_log.hpp"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <set>
#include <utility>

namespace interlock::server {
namespace {

using base::HttpRequest;
using base::HttpResponse;

const std::vector<std::string> loopback_hosts{"127.0.0.1", "localhost", "[::1]"};

class OpenGatekeeper final : public Gatekeeper {
public:
    explicit OpenGatekeeper(telemetry::Identity identity) {
        access_.identity = std::move(identity);
    }
    std::variant<Access, HttpResponse> admit(const HttpRequest&) override { return access_; }
    HttpResponse insufficient_scope(const std::string&, std::string body) override {
        return {403, {{"Content-Type", "application/json"}}, std::move(body)};
    }
    std::optional<HttpResponse> metadata(const HttpRequest&) override { return std::nullopt; }

private:
    Access access_;
};

bool is_json(const HttpRequest& request) {
    const auto type = request.header("Content-Type");
    const std::string_view essence =
        type ? std::string_view(*type).substr(0, type->find(';')) : std::string_view{};
    return base::lower_ascii(base::trim(essence)) == "application/json";
}

bool has_body(const HttpRequest& request) {
    return request.header_count("Transfer-Encoding") > 0 ||
           request.header("Content-Length").value_or("0").find_first_not_of('0') !=
               std::string::npos;
}

/// As forms and URLSearchParams write it; what is no escape stands for itself.
std::string decode_query(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        unsigned char byte = 0;
        const char* const digits = text.data() + i + 1;
        if (text[i] == '%' && i + 2 < text.size() &&
            std::from_chars(digits, digits + 2, byte, 16).ptr == digits + 2) {
            out += static_cast<char>(byte);
            i += 2;
        } else {
            out += text[i];
        }
    }
    return out;
}

} // namespace

RequestGate::RequestGate(
    const std::string& address,
    unsigned short port,
    Gatekeeper& gatekeeper,
    std::vector<std::string> hosts,
    const std::vector<std::string>& origins,
    TurnedAway* turned_away
)
    : gatekeeper_(gatekeeper),
      turned_away_(turned_away),
      hosts_(std::move(hosts)),
      pages_(origins),
      port_(port) {
    if (base::is_loopback(address)) {
        hosts_.insert(hosts_.end(), loopback_hosts.begin(), loopback_hosts.end());
    }
}

std::optional<HttpResponse> RequestGate::refuse(const HttpRequest& request) const {
    auto refusal = judge(request);
    if (refusal) {
        // A page must be able to read why, the challenge of a 401 above all.
        for (auto& header : pages_.headers(request)) {
            refusal->headers.push_back(std::move(header));
        }
    }
    return refusal;
}

std::optional<HttpResponse> RequestGate::judge(const HttpRequest& request) const {
    if (auto refusal = refuse_foreign(request)) {
        return refusal;
    }
    if (pages_.is_preflight(request)) {
        return std::nullopt;
    }
    if (request.path != mcp_path) {
        // Nobody is asked here who they are, so nobody may fill memory.
        return has_body(request) ? std::optional(rpc_refusal(413, "This path takes no body."))
                                 : std::nullopt;
    }
    auto admitted = gatekeeper_.admit(request);
    if (auto* refusal = std::get_if<HttpResponse>(&admitted)) {
        if (turned_away_ != nullptr) {
            turned_away_->tell(refusal->status, request.peer, gatekeeper_.proven(request));
        }
        return std::move(*refusal);
    }
    if (request.method == "POST" && !is_json(request)) {
        return rpc_refusal(415, "POST /mcp takes Content-Type: application/json.");
    }
    return std::nullopt;
}

/// The rule of base, but pages of the origins that were allowed by name pass, too.
std::optional<HttpResponse> RequestGate::refuse_foreign(const HttpRequest& request) const {
    if (!pages_.allows(request)) {
        return base::refuse_foreign_host(request, hosts_, port_.load());
    }
    HttpRequest host_only;
    std::copy_if(
        request.headers.begin(),
        request.headers.end(),
        std::back_inserter(host_only.headers),
        [](const auto& header) { return base::lower_ascii(header.first) == "host"; }
    );
    return base::refuse_foreign_host(host_only, hosts_, port_.load());
}

std::size_t connections_per_address(const std::string& address, bool behind_proxy) {
    return behind_proxy || base::is_loopback(address)
               ? base::limits::http_connections_per_proxy_max
               : base::limits::http_connections_per_address_max;
}

std::optional<base::Error>
refuse_exposure(const std::string& address, const HttpEndpointParts& parts) {
    if (base::is_loopback(address)) {
        return std::nullopt;
    }
    if (dynamic_cast<const OpenGatekeeper*>(&parts.gatekeeper)) {
        return base::Error{
            base::Errc::permission_denied,
            "Without authorization this server listens on loopback only, and " + address +
                " is not loopback.",
            "Use 127.0.0.1:PORT or [::1]:PORT, or configure `authorization`."};
    }
    if (parts.allowed_hosts.empty()) {
        return base::Error{
            base::Errc::invalid_input,
            "The listener at " + address + " is not loopback and has no allowed hosts.",
            "Name the hosts under which clients call this server in `allowed_hosts`."};
    }
    return std::nullopt;
}

void narrow_toolsets(Access& access, std::string_view query) {
    constexpr std::string_view key = "toolsets=";
    for (; !query.empty(); query.remove_prefix(std::min(query.find('&'), query.size() - 1) + 1)) {
        if (!query.starts_with(key)) {
            continue;
        }
        const std::string names = decode_query(query.substr(0, query.find('&')).substr(key.size()));
        std::set<std::string> left;
        for (std::string_view rest = names; !rest.empty();) {
            const auto comma = rest.find(',');
            const std::string name(base::trim(rest.substr(0, comma)));
            if (!name.empty() && access.shows(name)) {
                left.insert(name);
            }
            rest = comma == std::string_view::npos ? "" : rest.substr(comma + 1);
        }
        access.toolsets = std::move(left);
    }
}

HeaderValue header_value(const HttpRequest& request, std::string_view name) {
    HeaderValue value;
    for (const auto& [key, text] : request.headers) {
        if (key.size() == name.size() && base::lower_ascii(key) == name && value.count++ == 0) {
            value.value = base::trim(text);
        }
    }
    return value;
}

RequestHeaders request_headers(const HttpRequest& request) {
    RequestHeaders headers{
        header_value(request, "mcp-protocol-version"),
        header_value(request, "mcp-method"),
        header_value(request, "mcp-name"),
        header_value(request, "mcp-session-id"),
        {}};
    for (const auto& [key, text] : request.headers) {
        std::string name = base::lower_ascii(key);
        if (name.starts_with("mcp-param-")) {
            headers.parameters.emplace_back(std::move(name), base::trim(text));
        }
    }
    return headers;
}

HttpResponse rpc_refusal(unsigned status, std::string message) {
    return {
        status,
        {{"Content-Type", "application/json"}},
        render_error({}, {rpc::invalid_request, std::move(message), {}})};
}

std::unique_ptr<Gatekeeper> open_gatekeeper(telemetry::Identity identity) {
    return std::make_unique<OpenGatekeeper>(std::move(identity));
}

} // namespace interlock::server
