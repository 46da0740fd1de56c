// One connection: reads requests, hands each to the handler, writes its answer, keeps the
// deadlines. Everything here happens on the loop's thread. An idle connection holds a socket and
// nothing else: readiness is awaited without a buffer, and bytes are read into one that all share.
#pragma once

#include "base/clock.hpp"
#include "base/http_head.hpp"
#include "base/http_reader.hpp"
#include "base/http_socket.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

namespace interlock::base {

struct HttpCore;

class HttpConnection final : public HttpReady, public std::enable_shared_from_this<HttpConnection> {
public:
    HttpConnection(
        HttpCore& core,
        int descriptor,
        std::unique_ptr<TlsSession> tls,
        std::string peer,
        bool refused
    );

    void start();
    /// Ends now unless an answer is under way; that one will be the last.
    void drain();
    /// Closes now; whoever still works on an answer is told.
    void shut();
    bool has_expired(Ticks now, Time today) const;
    void expire();
    /// Runs `turn`. What it throws is a defect or a want of memory; it ends this connection alone.
    void take_turn(const std::function<void()>& turn);

    // From the exchange with this number; anything else comes too late and is dropped.
    void answer(std::uint64_t exchange, HttpResponse response);
    void forget_body(std::uint64_t exchange);
    void begin_stream(std::uint64_t exchange, unsigned status, const HttpHeaders& headers);
    void append(std::uint64_t exchange, std::string_view bytes);
    void end_stream(std::uint64_t exchange);
    void limit_stream(std::uint64_t exchange, Time end);
    void abandon(std::uint64_t exchange);

    void on_readable() override;
    void on_writable() override;

    const std::string& peer() const { return peer_; }
    /// Past the caps: told to come back, and not counted.
    bool refused() const { return refused_; }

private:
    enum class Phase {
        handshaking, // TLS
        idle,        // between requests
        reading,     // a request has begun
        working,     // a handler has it
        streaming,   // its answer has begun
        answered,    // its answer is complete, perhaps not yet sent
        lingering,   // closed for writing; reading on, so that the answer is not lost to a reset
        closed,
    };

    void take_input();
    void shake_hands();
    void read();
    void on_end_of_input();
    void go_on();
    void watch();
    bool advance();
    bool pass_gate();
    bool charge(std::size_t bytes);
    void dispatch();
    void respond(HttpResponse response);
    void answer_and_close(HttpResponse response);
    void complete();
    void send_answer(HttpResponse response);
    void send(std::string bytes, std::string body = {});
    std::size_t held() const { return out_.size() + body_.size(); }
    void flush();
    void charge_unread(std::size_t bytes);
    void cut_stream();
    void become_idle();
    void linger();
    bool is_answering(std::uint64_t exchange, Phase phase) const;
    Ticks in(std::chrono::milliseconds duration) const;
    HttpFraming framing() const { return {http_1_0_, head_only_, close_}; }

    HttpCore& core_;
    HttpSocket socket_;
    std::string peer_;
    const unsigned short peer_port_;
    const bool refused_;
    Phase phase_ = Phase::idle;
    bool watching_ = false;
    bool input_ended_ = false;
    bool writing_ = false; // waits until the socket takes more
    bool http_1_0_ = false;
    bool head_only_ = false;
    bool close_ = false;
    std::uint64_t exchange_ = 0; // number of the request now answered
    std::size_t charged_ = 0;    // our part of core_.body_bytes
    std::size_t unread_ = 0;     // our part of core_.unread_bytes
    std::optional<Ticks> deadline_;
    std::optional<Time> stream_end_;
    Ticks write_deadline_{};
    std::unique_ptr<HttpReader> reader_;
    std::optional<std::stop_source> gone_;
    std::string in_;
    std::string out_;      // to be written, then
    std::string body_;     // the body of a whole answer, as it came
    std::size_t sent_ = 0; // of both
};

} // namespace interlock::base
