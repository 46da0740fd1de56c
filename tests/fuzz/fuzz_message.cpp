// From the bytes of a connection to what is answered: requests are read, judged by the gate,
// understood by the protocol, one after another as on a connection that is kept alive. Whatever
// arrives is answered well-formed or becomes a call that is whole, and nobody passes the gate whose
// Host or Origin is foreign. `Mcp-Session-Id: last` stands for the session opened last.
#include "base/http_reader.hpp"
#include "base/text.hpp"
#include "server/http_gate.hpp"
#include "tests/fuzz/fuzz.hpp"
#include "tests/server/protocol_fixture.hpp"
#include "tests/support/fakes.hpp"

#include <set>
#include <string>

#include <nlohmann/json.hpp>

namespace {

namespace base = interlock::base;
namespace server = interlock::server;
namespace test = interlock::test;
using base::HttpReader;
using base::Json;
using test::must_hold;

constexpr int requests_max = 16;
constexpr unsigned short port = 7420;

class Spans final : public interlock::telemetry::SpanSink {
public:
    void write(interlock::telemetry::FinishedSpan /*span*/) override {}
};

bool is_one_line(std::string_view text) {
    return text.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos;
}

/// One answer as JSON-RPC: a result or an error, and for the id that was asked under.
void check_answer(const std::string& text, const std::string& id) {
    must_hold(base::is_utf8(text));
    const auto answer = base::parse_json(text, 64 * base::limits::json_bytes_max, 512);
    must_hold(answer.ok() && base::string_member(*answer, "jsonrpc") == "2.0");
    must_hold(answer->contains("result") != answer->contains("error"));
    const Json* echoed = base::member(*answer, "id");
    must_hold(id.empty() || (echoed != nullptr && server::id_text(*echoed) == id));
}

/// One connection, and the server behind it.
class Connection {
public:
    void take(std::string bytes) {
        for (int i = 0; i < requests_max && !bytes.empty(); ++i) {
            HttpReader reader(base::limits::http_body_bytes_max);
            if (!read(reader, bytes)) {
                return;
            }
            answer(reader.request());
            if (!reader.keep_alive()) {
                return;
            }
        }
    }

private:
    /// False: refused, or not whole.
    bool read(HttpReader& reader, std::string& bytes) {
        auto state = reader.feed(bytes);
        if (state == HttpReader::State::gate) {
            base::HttpRequest& request = reader.request();
            for (auto& [name, value] : request.headers) {
                if (base::lower_ascii(name) == "mcp-session-id" && value == "last") {
                    value = session_;
                }
            }
            if (const auto refusal = gate_.refuse(request)) {
                must_hold(refusal->status >= 400);
                for (const auto& [name, value] : refusal->headers) {
                    must_hold(base::is_token(name) && is_one_line(value));
                }
                return false;
            }
            check_host(request);
            reader.open_gate();
            state = reader.feed(bytes);
        }
        must_hold(state != HttpReader::State::refused || reader.refusal().status >= 400);
        return state == HttpReader::State::complete;
    }

    /// The rule of the gate in other words.
    static void check_host(const base::HttpRequest& request) {
        static const std::set<std::string> hosts{
            "127.0.0.1", "localhost", "[::1]", "127.0.0.1:7420", "localhost:7420", "[::1]:7420"};
        const auto host = request.header("Host");
        must_hold(host && hosts.contains(base::lower_ascii(*host)));
        must_hold(request.header_count("Origin") <= 1);
        if (const auto origin = request.header("Origin")) {
            const std::string lower = base::lower_ascii(*origin);
            const auto at = lower.find("://");
            must_hold(
                lower == "https://app.example" ||
                (at != std::string::npos && hosts.contains(lower.substr(at + 3)))
            );
        }
    }

    void answer(const base::HttpRequest& request) {
        if (request.path != server::mcp_path || request.method != "POST") {
            return;
        }
        auto admitted = gatekeeper_->admit(request);
        must_hold(std::holds_alternative<server::Access>(admitted));
        auto access = std::get<server::Access>(std::move(admitted));
        server::narrow_toolsets(access, request.query);
        const auto reaction = protocol_.receive(
            request.body,
            {server::Transport::http, std::move(access), server::request_headers(request), nullptr}
        );
        must_hold(reaction.status == 202 || !reaction.parts.empty());
        must_hold(reaction.parts.size() <= base::limits::batch_messages_max);
        must_hold(reaction.parts.size() <= 1 || reaction.batch);
        must_hold(is_one_line(reaction.session) && is_one_line(reaction.challenge));
        if (!reaction.session.empty()) {
            session_ = reaction.session;
        }
        for (const auto& part : reaction.parts) {
            settle(part);
        }
    }

    static void settle(const server::Part& part) {
        if (const auto* ready = std::get_if<std::string>(&part)) {
            check_answer(*ready, {});
        } else if (const auto* job = std::get_if<std::unique_ptr<server::Job>>(&part)) {
            check_job(**job);
        } else if (const auto* deferred = std::get_if<server::Deferred>(&part)) {
            const auto settled = deferred->settle();
            const auto* text = std::get_if<std::string>(&settled);
            if (text != nullptr) {
                check_answer(*text, deferred->id);
            }
        } else {
            must_hold(!std::get<server::Listen>(part).id.empty());
        }
    }

    /// What a worker relies on.
    static void check_job(const server::Job& job) {
        must_hold(!job.id.empty() && job.offer != nullptr && job.params != nullptr);
        must_hold(job.params->is_object() && base::is_utf8(job.name));
        const auto arguments = base::parse_json(job.arguments, 8 * base::limits::json_bytes_max);
        must_hold(arguments.ok() && arguments->is_object());
        must_hold((job.session != nullptr) == (job.era == server::Era::legacy));
        must_hold(job.cancel_on_disconnect == (job.era == server::Era::modern));
        must_hold(job.progress_token.empty() || base::parse_json(job.progress_token).ok());
        must_hold(job.remembered.empty()); // nothing was sealed here, so nothing opens
    }

    static const server::Catalogue& catalogue() {
        static const server::Catalogue made(test::protocol::compiled(test::protocol::full_offer()));
        return made;
    }
    static interlock::telemetry::Metrics& metrics() {
        static interlock::telemetry::Metrics made;
        return made;
    }

    test::ManualClock clock_;
    test::CountingRandom random_;
    Spans spans_;
    interlock::telemetry::Tracer tracer_{spans_, clock_, random_};
    server::Sessions sessions_{clock_, random_};
    server::Tasks tasks_{clock_, random_};
    server::RequestStates states_{clock_, random_};
    server::Protocol protocol_{
        {catalogue(), sessions_, tasks_, states_, tracer_, metrics(), clock_}};
    std::unique_ptr<server::Gatekeeper> gatekeeper_ =
        server::open_gatekeeper({"os:fuzz", "loopback", "none", "", "", {}});
    server::RequestGate gate_{"127.0.0.1", port, *gatekeeper_, {}, {"https://app.example"}};
    std::string session_;
};

void handle(std::string_view input) {
    Connection().take(std::string(input));
}

} // namespace

INTERLOCK_FUZZ_TARGET(message, handle)
