// Reads one HTTP/1.1 request out of bytes, without a socket. It stops between headers and body, so
// that a caller can be refused before it has cost memory. What two readers could understand
// differently (request smuggling) is refused, never repaired.
#pragma once

#include "base/http_chunks.hpp"
#include "base/http_server.hpp"

#include <cstddef>
#include <memory>
#include <optional>
#include <string>

namespace interlock::base {

class HttpReader {
public:
    enum class State {
        header,   // needs more bytes of the head
        gate,     // the head is complete: look at request(), then open_gate()
        body,     // needs more bytes of the body
        complete, // request() is whole; bytes left over belong to the next one
        refused,  // answer refusal() and close
    };

    explicit HttpReader(std::size_t body_bytes_max);
    ~HttpReader();
    HttpReader(const HttpReader&) = delete;
    HttpReader& operator=(const HttpReader&) = delete;

    /// Takes what it can use off the front of `bytes`. Until the head is complete the bytes stay,
    /// and the next call must bring the same ones with more behind them.
    State feed(std::string& bytes);
    /// Lets the body in. Refuses one that is announced too large.
    State open_gate();

    State state() const { return state_; }
    HttpRequest& request() { return request_; }
    const HttpResponse& refusal() const { return refusal_; }
    bool http_1_0() const;
    bool keep_alive() const;
    /// The client waits for 100 Continue before it sends the body.
    bool expects_continue() const;
    std::size_t body_bytes() const { return request_.body.size(); }

private:
    struct Parser;
    State refuse(unsigned status, const std::string& why);
    State read_head(std::string& bytes);
    State parse_head(std::string& bytes);
    State check_framing();
    State read_body(std::string& bytes);
    State read_chunks(std::string& bytes);

    std::size_t body_bytes_max_;
    std::unique_ptr<Parser> parser_;
    State state_ = State::header;
    std::size_t scanned_ = 0;           // bytes of the head already looked at
    std::size_t body_left_ = 0;         // of a Content-Length
    std::optional<ChunkReader> chunks_; // of a chunked body
    std::size_t framing_taken_ = 0;     // of it, with its framing
    HttpRequest request_;
    HttpResponse refusal_;
};

} // namespace interlock::base
