#include "base/http_connection.hpp"

#include "base/http_core.hpp"
#include "base/http_exchange.hpp"
#include "base/log.hpp"

#include <algorithm>
#include <netinet/in.h>
#include <sys/socket.h>

namespace interlock::base {
namespace {

HttpResponse plain(unsigned status, const std::string& text) {
    return HttpResponse{status, {{"Content-Type", "text/plain; charset=utf-8"}}, text + "\n"};
}

HttpResponse overloaded() {
    HttpResponse response = plain(503, "The server has too many requests; try again.");
    response.headers.emplace_back("Retry-After", "1");
    return response;
}

void release(std::string& text) {
    std::string().swap(text); // clear() would keep the memory
}

/// 0 when it cannot be told.
unsigned short port_of_peer(int descriptor) {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    if (::getpeername(descriptor, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
        return 0;
    }
    if (address.ss_family == AF_INET6) {
        return ntohs(reinterpret_cast<const sockaddr_in6*>(&address)->sin6_port);
    }
    return address.ss_family == AF_INET
               ? ntohs(reinterpret_cast<const sockaddr_in*>(&address)->sin_port)
               : static_cast<unsigned short>(0);
}

} // namespace

HttpConnection::HttpConnection(
    HttpCore& core, int descriptor, std::unique_ptr<TlsSession> tls, std::string peer, bool refused
)
    : core_(core),
      socket_(core.loop, descriptor, std::move(tls)),
      peer_(std::move(peer)),
      peer_port_(port_of_peer(descriptor)),
      refused_(refused) {}

Ticks HttpConnection::in(std::chrono::milliseconds duration) const {
    return SystemClock().ticks() + duration;
}

void HttpConnection::start() {
    if (refused_) {
        answer_and_close(overloaded());
    } else if (socket_.is_tls()) {
        phase_ = Phase::handshaking;
        deadline_ = in(core_.options.deadlines.handshake);
    } else {
        deadline_ = in(core_.options.deadlines.idle);
    }
    watch();
}

// ---- Reading ----

void HttpConnection::on_readable() {
    take_turn([this] { take_input(); });
}

void HttpConnection::take_input() {
    watching_ = false;
    if (phase_ == Phase::handshaking) {
        shake_hands();
    } else if (phase_ != Phase::closed) {
        read();
        go_on();
    }
}

void HttpConnection::shake_hands() {
    const HttpIo io = socket_.handshake();
    if (io.is == HttpIo::Is::moved) {
        phase_ = Phase::idle;
        deadline_ = in(core_.options.deadlines.idle);
    } else if (io.is != HttpIo::Is::blocked) {
        shut(); // no answer: who speaks no TLS could not read it
    }
    watch();
}

void HttpConnection::read() {
    const HttpIo io = socket_.read_some(core_.scratch.data(), core_.scratch.size());
    switch (io.is) {
    case HttpIo::Is::blocked:
        break;
    case HttpIo::Is::ended:
        on_end_of_input();
        break;
    case HttpIo::Is::failed:
        shut();
        break;
    case HttpIo::Is::moved:
        if (phase_ != Phase::lingering) {
            in_.append(core_.scratch.data(), io.count);
        }
    }
}

/// The client will send nothing more. It may still read the answer it waits for, if anybody cares
/// to finish it.
void HttpConnection::on_end_of_input() {
    input_ended_ = true;
    const bool waits =
        phase_ == Phase::working || phase_ == Phase::streaming || phase_ == Phase::answered;
    if (!waits) {
        shut();
    } else if (gone_) {
        const auto self = shared_from_this();
        gone_->request_stop();
    }
}

/// Ends every event but those of the handshake: serves the requests that are here, one after
/// another, until one has to wait for something.
void HttpConnection::go_on() {
    while (!in_.empty() && (phase_ == Phase::idle || phase_ == Phase::reading) && advance()) {
    }
    watch();
}

/// One pending wait at most. While a handler works it notices the client going away, and takes in
/// a bounded part of a pipelined request.
void HttpConnection::watch() {
    const bool full = phase_ != Phase::reading && phase_ != Phase::lingering &&
                      in_.size() >= limits::http_header_bytes_max;
    if (watching_ || full || input_ended_ || phase_ == Phase::closed) {
        return;
    }
    watching_ = true;
    socket_.when_readable(shared_from_this());
}

/// True when a request was complete and its handler has run.
bool HttpConnection::advance() {
    if (phase_ == Phase::idle) {
        phase_ = Phase::reading;
        deadline_ = in(core_.options.deadlines.header);
        reader_ = std::make_unique<HttpReader>(core_.options.body_bytes_max);
    }
    auto state = reader_->feed(in_);
    if (state == HttpReader::State::gate) {
        if (!pass_gate()) {
            return false;
        }
        state = reader_->feed(in_);
    }
    const bool crowded = core_.unread_bytes > core_.options.unread_bytes_max;
    if (state == HttpReader::State::refused) {
        answer_and_close(reader_->refusal());
    } else if (!charge(reader_->body_bytes()) || crowded) {
        answer_and_close(overloaded());
    } else if (state == HttpReader::State::complete) {
        dispatch();
        return true;
    }
    return false;
}

bool HttpConnection::pass_gate() {
    http_1_0_ = reader_->http_1_0();
    head_only_ = reader_->request().method == "HEAD";
    reader_->request().peer = peer_;
    reader_->request().peer_port = peer_port_;
    reader_->request().http_1_0 = http_1_0_;
    if (core_.options.gate) {
        if (const auto refusal = core_.options.gate(reader_->request())) {
            answer_and_close(*refusal);
            return false;
        }
    }
    if (reader_->open_gate() == HttpReader::State::body) {
        deadline_ = in(core_.options.deadlines.body);
        if (reader_->expects_continue() && in_.empty()) {
            send("HTTP/1.1 100 Continue\r\n\r\n");
        }
    }
    return phase_ == Phase::reading;
}

/// Counts this request's body against what all of them may hold together.
bool HttpConnection::charge(std::size_t bytes) {
    core_.body_bytes += bytes - charged_;
    charged_ = bytes;
    return bytes == 0 || core_.body_bytes <= core_.options.bodies_bytes_max;
}

void HttpConnection::dispatch() {
    phase_ = Phase::working;
    deadline_.reset();
    stream_end_.reset();
    close_ = !reader_->keep_alive();
    gone_.emplace();
    ++exchange_;
    HttpRequest request = std::move(reader_->request());
    reader_.reset();
    auto response = hand_over(
        {core_.shared_from_this(),
         weak_from_this(),
         exchange_,
         std::move(request),
         gone_->get_token()}
    );
    if (response && phase_ == Phase::working) {
        respond(std::move(*response));
    }
}

// ---- Answering ----

bool HttpConnection::is_answering(std::uint64_t exchange, Phase phase) const {
    return exchange == exchange_ && phase == phase_;
}

void HttpConnection::answer(std::uint64_t exchange, HttpResponse response) {
    if (is_answering(exchange, Phase::working)) {
        respond(std::move(response));
        go_on();
    }
}

void HttpConnection::respond(HttpResponse response) {
    close_ = close_ || core_.stopping || input_ended_;
    complete();
    send_answer(std::move(response));
}

void HttpConnection::forget_body(std::uint64_t exchange) {
    if (is_answering(exchange, Phase::working) || is_answering(exchange, Phase::streaming)) {
        charge(0);
    }
}

void HttpConnection::begin_stream(
    std::uint64_t exchange, unsigned status, const HttpHeaders& headers
) {
    if (is_answering(exchange, Phase::working)) {
        close_ = close_ || http_1_0_ || core_.stopping || input_ended_;
        phase_ = Phase::streaming;
        send(render_stream_head(status, headers, framing(), SystemClock().now()));
    }
}

void HttpConnection::append(std::uint64_t exchange, std::string_view bytes) {
    if (!is_answering(exchange, Phase::streaming)) {
        return;
    }
    // A client that does not read must not fill our memory; nor many of them together.
    if (out_.size() - sent_ + bytes.size() > limits::http_backlog_bytes_max ||
        (unread_ > 0 && core_.unread_bytes + bytes.size() > core_.options.unread_bytes_max)) {
        shut();
        return;
    }
    send(render_chunk(bytes, framing()));
}

void HttpConnection::end_stream(std::uint64_t exchange) {
    if (is_answering(exchange, Phase::streaming)) {
        complete();
        send(render_stream_end(framing()));
        go_on();
    }
}

void HttpConnection::limit_stream(std::uint64_t exchange, Time end) {
    if (is_answering(exchange, Phase::working) || is_answering(exchange, Phase::streaming)) {
        stream_end_ = end;
    }
}

/// Its time is over: it ends as a whole one does, and whoever works for it is told.
void HttpConnection::cut_stream() {
    const auto self = shared_from_this();
    auto gone = std::exchange(gone_, std::nullopt);
    end_stream(exchange_);
    gone->request_stop();
}

/// The handler let go of the exchange: 500 if nothing was said yet. A stream cut short must not
/// look complete, so its connection just ends.
void HttpConnection::abandon(std::uint64_t exchange) {
    if (is_answering(exchange, Phase::streaming)) {
        shut();
    } else {
        answer(exchange, plain(500, "The server failed to answer this request."));
    }
}

/// Takes the answer by value: it may live in the reader that ends here.
// NOLINTNEXTLINE(performance-unnecessary-value-param)
void HttpConnection::answer_and_close(HttpResponse response) {
    close_ = true;
    deadline_.reset();
    reader_.reset();
    complete();
    send_answer(std::move(response));
}

void HttpConnection::complete() {
    phase_ = Phase::answered;
    gone_.reset();
    charge(0);
}

/// The body leaves from where it lies. Over TLS it would be a record of its own behind a short one.
void HttpConnection::send_answer(HttpResponse response) {
    std::string head = render_head(response, framing(), SystemClock().now());
    if (!sends_body(response, framing())) {
        response.body.clear();
    }
    if (socket_.is_tls()) {
        send(head + response.body);
    } else {
        send(std::move(head), std::move(response.body));
    }
}

/// Nothing is sent behind a body before it is gone.
void HttpConnection::send(std::string bytes, std::string body) {
    if (out_.empty()) {
        out_ = std::move(bytes);
    } else {
        if (sent_ >= out_.size() / 2) { // a stream that never catches up must not keep its past
            out_.erase(0, sent_);
            sent_ = 0;
        }
        out_ += bytes;
    }
    body_ = std::move(body);
    if (!writing_) {
        flush();
    } else {
        charge_unread(held());
    }
}

/// Counts what we hold of answers against what all connections may hold together.
void HttpConnection::charge_unread(std::size_t bytes) {
    core_.unread_bytes += bytes - unread_;
    unread_ = bytes;
}

/// Gives the socket what it takes at once; after the end of an answer, goes on with what follows.
void HttpConnection::flush() {
    while (sent_ < held()) {
        const std::size_t sent_of_out = std::min(sent_, out_.size());
        const HttpIo io = socket_.write_some(
            std::string_view(out_).substr(sent_of_out),
            std::string_view(body_).substr(sent_ - sent_of_out)
        );
        if (io.is == HttpIo::Is::blocked) {
            writing_ = true;
            charge_unread(held());
            write_deadline_ = in(core_.options.deadlines.write);
            socket_.when_writable(shared_from_this());
            return;
        }
        if (io.is != HttpIo::Is::moved) {
            shut();
            return;
        }
        sent_ += io.count;
    }
    release(out_);
    release(body_);
    charge_unread(0);
    sent_ = 0;
    if (phase_ == Phase::answered) {
        if (close_) {
            linger();
        } else {
            become_idle();
        }
    }
}

void HttpConnection::on_writable() {
    take_turn([this] {
        writing_ = false;
        if (phase_ != Phase::closed) {
            flush();
            go_on();
        }
    });
}

void HttpConnection::become_idle() {
    if (core_.stopping || input_ended_) {
        shut();
        return;
    }
    phase_ = Phase::idle;
    http_1_0_ = false;
    head_only_ = false;
    deadline_ = in(core_.options.deadlines.idle);
    if (in_.empty()) {
        release(in_);
    }
}

void HttpConnection::linger() {
    if (!socket_.end_output() || input_ended_ || core_.stopping) {
        shut();
        return;
    }
    phase_ = Phase::lingering;
    release(in_);
    deadline_ = in(core_.options.deadlines.linger);
}

// ---- Ending ----

void HttpConnection::drain() {
    if (phase_ == Phase::handshaking || phase_ == Phase::idle || phase_ == Phase::reading ||
        phase_ == Phase::lingering) {
        shut();
    }
}

void HttpConnection::shut() {
    if (phase_ == Phase::closed) {
        return;
    }
    const auto self = shared_from_this();
    phase_ = Phase::closed;
    charge(0);
    charge_unread(0);
    socket_.close();
    core_.remove(*this);
    if (auto gone = std::exchange(gone_, std::nullopt)) {
        gone->request_stop();
    }
}

bool HttpConnection::has_expired(Ticks now, Time today) const {
    return (writing_ && now > write_deadline_) || (deadline_ && now > *deadline_) ||
           (phase_ == Phase::streaming && stream_end_ && today >= *stream_end_);
}

void HttpConnection::expire() {
    take_turn([this] {
        if (phase_ == Phase::reading && !writing_) {
            answer_and_close(plain(408, "The request did not arrive in time."));
            watch();
        } else if (phase_ == Phase::streaming && !writing_) {
            cut_stream();
        } else {
            shut();
        }
    });
}

void HttpConnection::take_turn(const std::function<void()>& turn) {
    const auto self = shared_from_this();
    try {
        turn();
    } catch (const std::exception& problem) {
        shut();
        log_error("http.turn_failed", {{"why", problem.what()}});
    }
}

} // namespace interlock::base
