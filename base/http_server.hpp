// A small HTTP/1.1 server on one I/O thread, used by the MCP endpoint, the desk and the health
// endpoints. It owns sockets, limits and deadlines; handlers answer later from any thread.
//
// Guarantee: every request that reaches a handler gets exactly one answer; if the handler drops
// the exchange without answering, the client gets 500.
#pragma once

#include "base/clock.hpp"
#include "base/limits.hpp"
#include "base/result.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace interlock::base {

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

struct HttpRequest {
    std::string method;  // "POST"
    std::string path;    // before '?', not decoded
    std::string query;   // after '?'
    HttpHeaders headers; // in order; names as sent
    std::string body;    // empty in the header gate
    std::string peer;    // numeric address
    unsigned short peer_port = 0;
    bool http_1_0 = false; // else 1.1

    /// The single value of a header, case-insensitive; nullopt when absent, or sent twice.
    std::optional<std::string> header(std::string_view name) const;
    std::size_t header_count(std::string_view name) const;
};

struct HttpResponse {
    unsigned status = 200;
    HttpHeaders headers;
    std::string body;
};

/// One request and the way to answer it. All functions are thread-safe; after the first respond()
/// or start_stream() further answers are ignored.
class HttpExchange {
public:
    virtual ~HttpExchange() = default;
    virtual const HttpRequest& request() const = 0;
    virtual void respond(HttpResponse response) = 0;
    /// Starts a chunked answer (server-sent events); then write() and finish().
    virtual void start_stream(unsigned status, HttpHeaders headers) = 0;
    virtual void write(std::string bytes) = 0;
    virtual void finish() = 0;
    /// A stream ends at this time at the latest, however little is said on it: the right to read it
    /// ends then. An answer that is no stream is given all the same.
    virtual void end_stream_at(Time /*end*/) {}
    /// The body is read and its memory may go: a stream may stay open for hours. To be called by
    /// the handler before it returns, when nobody else looks at the body.
    virtual void drop_body() {}
    /// Requested when the client goes away before the answer is complete. Callbacks on it run on
    /// the I/O thread and must not block.
    virtual std::stop_token gone() const = 0;
};

/// Runs on the I/O thread: takes the exchange, hands it to whoever answers, returns at once.
using HttpHandler = std::function<void(std::shared_ptr<HttpExchange>)>;
/// Looks at a request's headers before its body is read; a response refuses it and closes.
using HttpGate = std::function<std::optional<HttpResponse>(const HttpRequest&)>;

/// Certificate chain and key in PEM files; read again when reload_tls() is called.
struct HttpTls {
    std::string certificate_file;
    std::string key_file;
};

/// Shortened in tests; operators get the limits.
struct HttpDeadlines {
    std::chrono::milliseconds header = limits::http_header_deadline;
    std::chrono::milliseconds body = limits::http_body_deadline;
    std::chrono::milliseconds idle = limits::http_idle_deadline;
    std::chrono::milliseconds write = limits::http_write_deadline;
    std::chrono::milliseconds linger = limits::http_linger_deadline;
    std::chrono::milliseconds handshake = limits::tls_handshake_deadline;
};

struct HttpServerOptions {
    std::string address = "127.0.0.1";
    unsigned short port = 0; // 0: any free port
    std::size_t body_bytes_max = limits::http_body_bytes_max;
    std::size_t bodies_bytes_max = limits::http_bodies_bytes_max; // of all requests
    std::size_t unread_bytes_max = limits::http_unread_bytes_max;
    std::size_t connections_max = limits::http_connections_max;
    std::size_t connections_per_address_max = limits::http_connections_per_address_max;
    std::optional<HttpTls> tls = {}; // TLS 1.2 and 1.3 only; nullopt: plain text
    HttpGate gate;                   // may be empty
    HttpHandler handler;
    HttpDeadlines deadlines = {};
};

class HttpServer {
public:
    /// Binds and serves on a thread of its own.
    static Result<std::unique_ptr<HttpServer>> start(HttpServerOptions options);
    virtual ~HttpServer() = default;
    virtual unsigned short port() const = 0;
    /// New connections use the files as they are now; on an error the old certificate stays.
    virtual Status reload_tls() = 0;
    /// Stops accepting, waits up to `drain` for answers under way, closes. Not to be called from
    /// a handler. Exchanges may outlive the server; their answers then go nowhere.
    virtual void stop(std::chrono::milliseconds drain) = 0;
};

/// "address:port" (IPv6 in brackets) taken apart; invalid_input otherwise.
Result<std::pair<std::string, unsigned short>> parse_listen_address(std::string_view text);
bool is_loopback(std::string_view address);

/// The Host and Origin rule for loopback listeners (DNS rebinding): exactly one Host header that
/// is one of `allowed_hosts` (with or without our port), and an Origin, if present, whose
/// authority is one of them too. Returns the 403 to send, or nothing.
std::optional<HttpResponse> refuse_foreign_host(
    const HttpRequest& request, const std::vector<std::string>& allowed_hosts, unsigned short port
);

} // namespace interlock::base
