// A request means the same however its bytes arrive, and what a handler gets can neither end a line
// nor hide one.
#include "base/http_reader.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <algorithm>
#include <cctype>
#include <string>

namespace {

using interlock::base::HttpReader;
using interlock::test::must_hold;
using State = HttpReader::State;

constexpr std::size_t body_bytes_max = 4096;

/// Feeds `step` bytes at a time; returns what was left over.
std::string feed_all(HttpReader& reader, std::string_view input, std::size_t step) {
    std::string pending;
    State state = State::header;
    for (std::size_t at = 0; at < input.size(); at += step) {
        pending.append(input.substr(at, step));
        for (;;) {
            const std::size_t before = pending.size();
            state = reader.feed(pending);
            if (state == State::gate) {
                state = reader.open_gate();
                continue;
            }
            if (state != State::body || pending.size() == before || pending.empty()) {
                break;
            }
        }
        if (state == State::refused || state == State::complete) {
            pending.append(input.substr(std::min(input.size(), at + step)));
            break;
        }
    }
    return pending;
}

bool is_one_line(const std::string& text) {
    return std::none_of(text.begin(), text.end(), [](char c) {
        return c == '\r' || c == '\n' || c == '\0';
    });
}

void read_request(std::string_view input) {
    if (input.empty()) {
        return;
    }
    const std::size_t step = 1 + static_cast<unsigned char>(input.front()) % 61;
    const std::string_view bytes = input.substr(1);
    HttpReader whole(body_bytes_max);
    HttpReader pieces(body_bytes_max);
    const std::string whole_rest = feed_all(whole, bytes, std::max<std::size_t>(bytes.size(), 1));
    const std::string pieces_rest = feed_all(pieces, bytes, step);
    must_hold(whole.state() == pieces.state());
    if (whole.state() == State::refused) {
        must_hold(whole.refusal().status >= 400);
        must_hold(whole.refusal().status == pieces.refusal().status);
        return;
    }
    if (whole.state() != State::complete) {
        return;
    }
    const auto& request = whole.request();
    must_hold(request.method == pieces.request().method);
    must_hold(request.path == pieces.request().path);
    must_hold(request.query == pieces.request().query);
    must_hold(request.headers == pieces.request().headers);
    must_hold(request.body == pieces.request().body);
    must_hold(request.body.size() <= body_bytes_max);
    must_hold(whole_rest == pieces_rest);
    must_hold(!request.method.empty() && is_one_line(request.method + request.path));
    for (const auto& [name, value] : request.headers) {
        must_hold(!name.empty() && is_one_line(name) && is_one_line(value));
    }
}

} // namespace

INTERLOCK_FUZZ_TARGET(http, read_request)
