#include "server/http_endpoint.hpp"

#include "base/text.hpp"
#include "server/authorization/rules.hpp"
#include "server/cross_origin.hpp"
#include "server/http_gate.hpp"
#include "server/http_outlets.hpp"
#include "server/operator_pages.hpp"
#include "server/stream_judge.hpp"

#include <algorithm>
#include <utility>

namespace interlock::server {
namespace {

using base::HttpExchange;
using base::HttpRequest;
using base::HttpResponse;

/// Whether a proxy says that it speaks for somebody else.
bool forwarded(const HttpRequest& request) {
    return request.header_count("Forwarded") + request.header_count("X-Forwarded-For") +
               request.header_count("Via") >
           0;
}

bool is_modern(const HeaderValue& version) {
    return version.value >= modern_version && !is_legacy_version(version.value);
}

/// The session whose streams carry what is said before the answer: of a legacy call.
SessionPointer session_of_call(const Reaction& reaction) {
    for (const Part& part : reaction.parts) {
        const auto* job = std::get_if<std::unique_ptr<Job>>(&part);
        if (job && (*job)->era == Era::legacy) {
            return (*job)->session;
        }
    }
    return nullptr;
}

bool has_call(const Reaction& reaction) {
    return std::any_of(reaction.parts.begin(), reaction.parts.end(), [](const Part& part) {
        return std::holds_alternative<std::unique_ptr<Job>>(part);
    });
}

/// An exchange whose answer, of whatever kind, carries more headers.
class WithHeaders final : public HttpExchange {
public:
    WithHeaders(std::shared_ptr<HttpExchange> exchange, base::HttpHeaders more)
        : exchange_(std::move(exchange)), more_(std::move(more)) {}

    const HttpRequest& request() const override { return exchange_->request(); }
    void respond(HttpResponse response) override {
        add_to(response.headers);
        exchange_->respond(std::move(response));
    }
    void start_stream(unsigned status, base::HttpHeaders headers) override {
        add_to(headers);
        exchange_->start_stream(status, std::move(headers));
    }
    void write(std::string bytes) override { exchange_->write(std::move(bytes)); }
    void finish() override { exchange_->finish(); }
    void end_stream_at(base::Time when) override { exchange_->end_stream_at(when); }
    void drop_body() override { exchange_->drop_body(); }
    std::stop_token gone() const override { return exchange_->gone(); }

private:
    void add_to(base::HttpHeaders& headers) const {
        headers.insert(headers.end(), more_.begin(), more_.end());
    }

    const std::shared_ptr<HttpExchange> exchange_;
    const base::HttpHeaders more_;
};

/// Routes requests; lives as long as the server that calls it.
class Endpoint {
public:
    explicit Endpoint(HttpEndpointParts parts)
        : parts_(std::move(parts)),
          pages_(parts_.allowed_origins),
          operator_pages_(parts_.metrics, parts_.unready),
          judge_(parts_.gatekeeper, parts_.judge_interval),
          keeper_(std::make_shared<StreamKeeper>(parts_.keep_alive, parts_.silence)) {}

    void take(std::shared_ptr<HttpExchange> exchange) {
        const HttpRequest& request = exchange->request();
        if (pages_.is_preflight(request)) {
            exchange->respond(pages_.answer_preflight(request));
            return;
        }
        if (auto more = pages_.headers(request); !more.empty()) {
            exchange = std::make_shared<WithHeaders>(std::move(exchange), std::move(more));
        }
        if (request.path == mcp_path) {
            take_mcp(exchange);
        } else if (const auto document = parts_.gatekeeper.metadata(request)) {
            exchange->respond(*document);
        } else if (const auto page = operator_pages_.answer(request, [&] {
                       return sees_inside(request);
                   })) {
            exchange->respond(*page);
        } else {
            exchange->respond(plain_answer(404, "There is nothing here; MCP is at /mcp."));
        }
    }

private:
    void take_mcp(const std::shared_ptr<HttpExchange>& exchange) {
        const HttpRequest& request = exchange->request();
        auto admitted = parts_.gatekeeper.admit(request);
        if (auto* refusal = std::get_if<HttpResponse>(&admitted)) {
            exchange->respond(std::move(*refusal));
            return;
        }
        Access& access = std::get<Access>(admitted);
        narrow_toolsets(access, request.query);
        if (access.expires) {
            exchange->end_stream_at(*access.expires);
        }
        if (request.method == "POST") {
            post(exchange, std::move(access));
        } else if (is_modern(header_value(request, "mcp-protocol-version"))) {
            exchange->respond(method_not_allowed("POST"));
        } else if (request.method == "GET") {
            open_stream(exchange, access);
            judge_.watch(exchange, access);
        } else if (request.method == "DELETE") {
            exchange->respond(end_session(request, access));
        } else {
            exchange->respond(method_not_allowed("POST, GET, DELETE"));
        }
    }

    void post(const std::shared_ptr<HttpExchange>& exchange, Access access) {
        const HttpRequest& request = exchange->request();
        const Arrival arrival{
            Transport::http,
            std::move(access),
            request_headers(request),
            nullptr,
            request.peer,
            request.peer_port,
            request.http_1_0,
            request.header("traceparent").value_or("")};
        bool stays = false;
        parts_.handler.handle(
            request.body,
            arrival,
            exchange->gone(),
            [this, &exchange, &arrival, &stays](const Reaction& reaction) {
                if (listens(reaction)) {
                    judge_.watch(exchange, arrival.access);
                    stays = true;
                }
                // What is answered at once, or by the hub, needs no keeper.
                return post_outlet(
                    exchange,
                    session_of_call(reaction),
                    has_call(reaction) ? std::weak_ptr(keeper_) : std::weak_ptr<StreamKeeper>(),
                    parts_.gatekeeper
                );
            }
        );
        if (stays) {
            exchange->drop_body();
        }
    }

    /// The session that a GET or DELETE names, or why there is none.
    std::variant<SessionPointer, HttpResponse>
    session_of(const HttpRequest& request, const Access& access) {
        const HeaderValue version = header_value(request, "mcp-protocol-version");
        if (version.count > 1 || (version.count == 1 && !is_legacy_version(version.value))) {
            return rpc_refusal(400, "The MCP-Protocol-Version header names no version we speak.");
        }
        const HeaderValue id = header_value(request, "mcp-session-id");
        if (id.count != 1) {
            return rpc_refusal(400, "Exactly one Mcp-Session-Id header is required.");
        }
        if (auto session = parts_.sessions.find(id.value, session_owner(access.identity))) {
            return session;
        }
        return rpc_refusal(404, "There is no such session: send initialize to open one.");
    }

    void open_stream(const std::shared_ptr<HttpExchange>& exchange, const Access& access) {
        const HttpRequest& request = exchange->request();
        auto found = session_of(request, access);
        if (auto* refusal = std::get_if<HttpResponse>(&found)) {
            exchange->respond(std::move(*refusal));
            return;
        }
        if (!accepts(request, "text/event-stream")) {
            exchange->respond(rpc_refusal(406, "GET /mcp answers with text/event-stream only."));
            return;
        }
        LegacySession& session = *std::get<SessionPointer>(found);
        const HeaderValue last = header_value(request, "last-event-id");
        if (last.count == 0) {
            session.streams().open_standing(carry(exchange), resumable(session));
        } else if (last.count > 1 || !session.streams().resume(last.value, carry(exchange))) {
            exchange->respond(rpc_refusal(400, "Last-Event-ID names no event that is kept here."));
        }
    }

    HttpResponse end_session(const HttpRequest& request, const Access& access) {
        auto found = session_of(request, access);
        if (auto* refusal = std::get_if<HttpResponse>(&found)) {
            return std::move(*refusal);
        }
        parts_.sessions.end(std::get<SessionPointer>(found)->id(), session_owner(access.identity));
        return {204, {}, {}};
    }

    /// Metrics tell of everybody's calls: with authorization they take all scopes. Without it, a
    /// proxy that forwards strangers must not make them users of this machine.
    bool sees_inside(const HttpRequest& request) {
        const auto admitted = parts_.gatekeeper.admit(request);
        const auto* access = std::get_if<Access>(&admitted);
        return access != nullptr && (access->scopes ? access->allows(whole_scope)
                                                    : !parts_.behind_proxy && !forwarded(request));
    }

    HttpEndpointParts parts_;
    const CrossOrigin pages_;
    const OperatorPages operator_pages_;
    StreamJudge judge_;
    const std::shared_ptr<StreamKeeper> keeper_;
};

} // namespace

base::Result<std::unique_ptr<base::HttpServer>>
start_http_endpoint(const std::string& address, unsigned short port, HttpEndpointParts parts) {
    if (auto refusal = refuse_exposure(address, parts)) {
        return std::move(*refusal);
    }
    base::HttpServerOptions options;
    options.address = address;
    options.port = port;
    options.tls = parts.tls;
    options.connections_per_address_max = connections_per_address(address, parts.behind_proxy);
    const auto gate = std::make_shared<RequestGate>(
        address,
        port,
        parts.gatekeeper,
        parts.allowed_hosts,
        parts.allowed_origins,
        parts.turned_away
    );
    options.gate = [gate](const HttpRequest& request) { return gate->refuse(request); };
    const auto endpoint = std::make_shared<Endpoint>(std::move(parts));
    options.handler = [endpoint](std::shared_ptr<HttpExchange> exchange) {
        endpoint->take(std::move(exchange));
    };
    auto server = base::HttpServer::start(std::move(options));
    if (server) {
        gate->set_port(server.value()->port());
    }
    return server;
}

} // namespace interlock::server
