// Requests that two readers could understand differently, that are cut short, oversized or plain
// nonsense: each gets exactly the answers written here, over plain TCP and over TLS, and none that
// is refused reaches the handler. Behind each follows a request that a reader led astray would
// take for a part of it, or serve twice.
#include "base/http_server.hpp"
#include "base/limits.hpp"
#include "tests/base/http_raw_client.hpp"
#include "tests/support/fakes.hpp"

#include <mutex>
#include <vector>

#include <catch2/catch.hpp>

namespace interlock::base {
namespace {

using namespace std::string_literals;

struct Case {
    const char* name;
    std::string bytes;
    std::vector<std::string> handled; // what the handler sees, in order
    unsigned refused = 0;             // status of the refusal at the end; 0: none
    bool ends = false;                // the client closes its side; nothing follows
};

const std::string host = "Host: a\r\n";
const std::string to_post = "POST /p HTTP/1.1\r\n" + host;
const std::string chunked = to_post + "Transfer-Encoding: chunked\r\n\r\n";
const std::string smuggled = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
const std::string probe = "GET /probe HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

std::string to_get(const std::string& headers) {
    return "GET /g HTTP/1.1\r\n" + headers + "\r\n";
}

std::string many_fields(int number) {
    std::string text = host;
    for (int i = 1; i < number; ++i) {
        text += "X-" + std::to_string(i) + ": 1\r\n";
    }
    return to_get(text);
}

/// A head of exactly `size` bytes.
std::string head_of(std::size_t size) {
    const std::string empty = to_get(host + "X: \r\n");
    return to_get(host + "X: " + std::string(size - empty.size(), 'x') + "\r\n");
}

std::vector<Case> length_cases() {
    return {
        {"both lengths",
         to_post + "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nX",
         {},
         400},
        {"both lengths, the other way round",
         to_post + "Transfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n0\r\n\r\nX",
         {},
         400},
        {"length twice", to_post + "Content-Length: 1\r\nContent-Length: 1\r\n\r\nx", {}, 400},
        {"two lengths", to_post + "Content-Length: 1\r\nContent-Length: 40\r\n\r\nx", {}, 400},
        {"two lengths in other letters",
         to_post + "content-length: 1\r\nCONTENT-LENGTH: 40\r\n\r\nx",
         {},
         400},
        {"a list of lengths", to_post + "Content-Length: 1, 1\r\n\r\nx", {}, 400},
        {"a length with plus", to_post + "Content-Length: +1\r\n\r\nx", {}, 400},
        {"a length with minus", to_post + "Content-Length: -1\r\n\r\nx", {}, 400},
        {"a length with a space inside", to_post + "Content-Length: 1 0\r\n\r\nx", {}, 400},
        {"a hexadecimal length", to_post + "Content-Length: 0x1\r\n\r\nx", {}, 400},
        {"a length with exponent", to_post + "Content-Length: 1e1\r\n\r\nx", {}, 400},
        {"a fractional length", to_post + "Content-Length: 1.0\r\n\r\nx", {}, 400},
        {"an empty length", to_post + "Content-Length:\r\n\r\n", {}, 400},
        {"a length that overflows to 1",
         to_post + "Content-Length: 18446744073709551617\r\n\r\nx",
         {},
         400},
        {"a length past the limit", to_post + "Content-Length: 1048577\r\n\r\n", {}, 413},
        {"spaces around a length", to_post + "Content-Length: \t 1 \r\n\r\nx", {"POST /p [x]"}},
        {"leading zeros in a length", to_post + "Content-Length: 0001\r\n\r\nx", {"POST /p [x]"}},
        {"a GET with a body", to_get(host + "Content-Length: 2\r\n") + "hi", {"GET /g [hi]"}},
        {"a GET with a request as its body",
         to_get(host + "Content-Length: " + std::to_string(smuggled.size()) + "\r\n") + smuggled,
         {"GET /g [" + smuggled + "]"}},
        {"a POST without length has no body", to_post + "\r\n", {"POST /p []"}},
    };
}

std::vector<Case> coding_cases() {
    return {
        {"another coding", to_post + "Transfer-Encoding: gzip\r\n\r\n", {}, 501},
        {"two codings", to_post + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", {}, 501},
        {"chunked that is not last",
         to_post + "Transfer-Encoding: chunked, identity\r\n\r\n",
         {},
         501},
        {"chunked twice in a list",
         to_post + "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
         {},
         501},
        {"chunked twice",
         to_post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
         {},
         400},
        {"chunked and identity in two fields",
         to_post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
         {},
         400},
        {"a coding that ends like chunked",
         to_post + "Transfer-Encoding: xchunked\r\n\r\n",
         {},
         501},
        {"a quoted coding", to_post + "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n", {}, 501},
        {"a coding with parameter",
         to_post + "Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n",
         {},
         501},
        {"an empty coding", to_post + "Transfer-Encoding:\r\n\r\n", {}, 501},
        {"a vertical tab before chunked",
         to_post + "Transfer-Encoding: \x0b"s + "chunked\r\n\r\n0\r\n\r\n",
         {},
         400},
        {"chunked in HTTP/1.0",
         "POST /p HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
         {},
         400},
        {"chunked in other letters",
         to_post + "tRANSFER-eNCODING: cHUNKED\r\n\r\n1\r\nx\r\n0\r\n\r\n",
         {"POST /p [x]"}},
        {"chunks with extensions",
         chunked + "1;a\r\nx\r\n1;b=c\r\ny\r\n1;d=\"e;\\\"f\"\r\nz\r\n0;g\r\n\r\n",
         {"POST /p [xyz]"}},
        {"an extension with a control character", chunked + "1;a=\x01\r\nx\r\n0\r\n\r\n"s, {}, 400},
        {"an extension with NUL", chunked + "1;a=\0\r\nx\r\n0\r\n\r\n"s, {}, 400},
        {"an extension that ends with LF alone", chunked + "1;a\nx\r\n0\r\n\r\n", {}, 400},
        {"an extension with LF inside", chunked + "1;a\nb\r\nx\r\n0\r\n\r\n", {}, 400},
        {"an extension with CR inside", chunked + "1;a\rb\r\nx\r\n0\r\n\r\n", {}, 400},
        {"a quoted extension with LF inside", chunked + "1;a=\"\n\"\r\nx\r\n0\r\n\r\n", {}, 400},
        {"an extension in the last chunk that ends with LF alone",
         chunked + "0;a\n\r\n\r\n",
         {},
         400},
        {"a chunk size that ends with LF alone", chunked + "1\nx\r\n0\r\n\r\n", {}, 400},
        {"chunk data that ends with LF alone", chunked + "1\r\nx\n0\r\n\r\n", {}, 400},
        {"chunk data that ends with CR alone", chunked + "1\r\nx\r0\r\n\r\n", {}, 400},
        {"chunk data longer than told", chunked + "1\r\nxyz\r\n0\r\n\r\n", {}, 400},
        {"a negative chunk size", chunked + "-1\r\nx\r\n0\r\n\r\n", {}, 400},
        {"a chunk size with plus", chunked + "+1\r\nx\r\n0\r\n\r\n", {}, 400},
        {"a chunk size with 0x", chunked + "0x1\r\nx\r\n0\r\n\r\n", {}, 400},
        {"a chunk size with an underscore", chunked + "1_0\r\nx\r\n0\r\n\r\n", {}, 400},
        {"a space before a chunk size", chunked + " 1\r\nx\r\n0\r\n\r\n", {}, 400},
        {"a space behind a chunk size", chunked + "1 \r\nx\r\n0\r\n\r\n", {}, 400},
        {"no chunk size", chunked + "\r\nx\r\n0\r\n\r\n", {}, 400},
        {"a chunk size that overflows to 1",
         chunked + "10000000000000001\r\nx\r\n0\r\n\r\n",
         {},
         413},
        {"the greatest chunk size", chunked + "ffffffffffffffff\r\nx\r\n0\r\n\r\n", {}, 413},
        {"a chunk past the limit", chunked + "100001\r\n", {}, 413},
        {"chunks that grow past the limit",
         chunked + "100000\r\n" + std::string(limits::http_body_bytes_max, 'x') + "\r\n1\r\n",
         {},
         413},
        {"leading zeros in a chunk size", chunked + "0001\r\nx\r\n000\r\n\r\n", {"POST /p [x]"}},
        {"a trailer", chunked + "1\r\nx\r\n0\r\nX-Late: 1\r\n\r\n", {"POST /p [x]"}},
        {"framing in a trailer", chunked + "1\r\nx\r\n0\r\nContent-Length: 40\r\n\r\n", {}, 400},
        {"a coding in a trailer",
         chunked + "1\r\nx\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n",
         {},
         400},
        {"a trailer that ends with LF alone", chunked + "0\r\nX: 1\n\r\n\r\n", {}, 400},
        {"a trailer without colon", chunked + "0\r\nX\r\n\r\n", {}, 400},
        {"a trailer with a control character", chunked + "0\r\nX: \x01\r\n\r\n"s, {}, 400},
    };
}

std::vector<Case> head_cases() {
    return {
        {"lines that end with LF alone", "GET /g HTTP/1.1\nHost: a\n\n", {}, 400},
        {"one line that ends with LF alone", "GET /g HTTP/1.1\r\nHost: a\n\r\n", {}, 400},
        {"CR alone in a value", to_get(host + "X: a\rY: b\r\n"), {}, 400},
        {"two CR", to_get(host + "X: a\r\r\n"), {}, 400},
        {"a folded field", to_get(host + "X: a\r\n b\r\n"), {}, 400},
        {"a field folded with a tab", to_get(host + "X: a\r\n\tb\r\n"), {}, 400},
        {"a first field that begins with a space", to_get(" " + host), {}, 400},
        {"a space before the colon", to_get(host + "Content-Length : 40\r\n"), {}, 400},
        {"a tab before the colon", to_get(host + "Transfer-Encoding\t: chunked\r\n"), {}, 400},
        {"NUL in a value", to_get(host + "X: a\0b\r\n"s), {}, 400},
        {"NUL in a name", to_get(host + "X\0: a\r\n"s), {}, 400},
        {"NUL in the target", "GET /g\0 HTTP/1.1\r\nHost: a\r\n\r\n"s, {}, 400},
        {"DEL in a value", to_get(host + "X: a\x7f\r\n"s), {}, 400},
        {"an empty name", to_get(host + ": a\r\n"), {}, 400},
        {"a name in brackets", to_get(host + "X[Y]: a\r\n"), {}, 400},
        {"a name outside ASCII", to_get(host + "X\xc3\xa9: a\r\n"), {}, 400},
        {"a line without colon", to_get(host + "nonsense\r\n"), {}, 400},
        {"no Host", to_get("X: a\r\n"), {}, 400},
        {"two Hosts", to_get(host + "Host: b\r\n"), {}, 400},
        {"the same Host twice", to_get(host + host), {}, 400},
        {"absolute form", "GET http://a/g HTTP/1.1\r\nHost: a\r\n\r\n", {}, 400},
        {"absolute form of another host", "GET http://b/g HTTP/1.1\r\nHost: a\r\n\r\n", {}, 400},
        {"authority form", "CONNECT b:443 HTTP/1.1\r\nHost: b:443\r\n\r\n", {}, 400},
        {"asterisk form", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", {}, 400},
        {"a relative target", "GET g HTTP/1.1\r\nHost: a\r\n\r\n", {}, 400},
        {"a fragment", "GET /g#x HTTP/1.1\r\nHost: a\r\n\r\n", {}, 400},
        {"a space in the target", "GET /g x HTTP/1.1\r\nHost: a\r\n\r\n", {}, 400},
        {"two spaces in the request line", "GET  /g HTTP/1.1\r\nHost: a\r\n\r\n", {}, 400},
        {"a tab in the request line", "GET\t/g HTTP/1.1\r\nHost: a\r\n\r\n", {}, 400},
        {"a method with a bracket", "GE(T /g HTTP/1.1\r\nHost: a\r\n\r\n", {}, 400},
        {"an empty line before the request", "\r\n" + to_get(host), {}, 400},
        {"HTTP/0.9", "GET /g\r\n", {}, 400},
        {"HTTP/1.2", "GET /g HTTP/1.2\r\nHost: a\r\n\r\n", {}, 400},
        {"HTTP/11", "GET /g HTTP/11\r\nHost: a\r\n\r\n", {}, 400},
        {"a version in small letters", "GET /g http/1.1\r\nHost: a\r\n\r\n", {}, 400},
        {"the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {}, 400},
        {"a TLS greeting", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"s, {}, 400},
        {"a very long target", "GET /" + std::string(20'000, 'g'), {}, 431},
        {"a very long name", "GET /g HTTP/1.1\r\n" + std::string(20'000, 'X'), {}, 431},
        {"100 fields", many_fields(100), {"GET /g []"}},
        {"101 fields", many_fields(101), {}, 431},
        {"a head as long as allowed", head_of(limits::http_header_bytes_max), {"GET /g []"}},
        {"a head one byte longer", head_of(limits::http_header_bytes_max + 1), {}, 431},
        {"another expectation", to_post + "Expect: 200-ok\r\nContent-Length: 1\r\n\r\nx", {}, 417},
        {"two expectations",
         to_post + "Expect: 100-continue\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx",
         {},
         417},
        {"an expectation of a body that is here",
         to_post + "Expect: 100-continue\r\nContent-Length: 1\r\n\r\nx",
         {"POST /p [x]"}},
        {"an upgrade to HTTP/2 that is not taken",
         to_get(
             host + "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
                    "HTTP2-Settings: AAMAAABkAAQAAP__\r\n"
         ),
         {"GET /g []"}},
        {"an upgrade to WebSocket that is not taken",
         to_get(host + "Connection: Upgrade\r\nUpgrade: websocket\r\n"),
         {"GET /g []"}},
        {"pipelined requests",
         to_get(host) + to_post + "Content-Length: 1\r\n\r\nx" + to_get(host),
         {"GET /g []", "POST /p [x]", "GET /g []"}},
        {"a good request before a bad one", to_get(host) + to_get(host + host), {"GET /g []"}, 400},
        {"nothing", "", {}, 0, true},
        {"a head that stops", "GET /g HTTP/1.1\r\nHos", {}, 0, true},
        {"a body that stops", to_post + "Content-Length: 10\r\n\r\nabc", {}, 0, true},
        {"a chunk that stops", chunked + "5\r\nabc", {}, 0, true},
        {"chunks without a last one", chunked + "1\r\nx\r\n", {}, 0, true},
        {"a trailer that stops", chunked + "0\r\nX: 1\r\n", {}, 0, true},
    };
}

class Recorder {
public:
    void handle(const std::shared_ptr<HttpExchange>& exchange) {
        const HttpRequest& request = exchange->request();
        {
            const std::lock_guard lock(mutex_);
            seen_.push_back(request.method + " " + request.path + " [" + request.body + "]");
        }
        exchange->respond({200, {}, "served"});
    }
    std::vector<std::string> take() {
        const std::lock_guard lock(mutex_);
        return std::exchange(seen_, {});
    }

private:
    std::mutex mutex_;
    std::vector<std::string> seen_;
};

std::vector<std::string> statuses_of(std::string_view text) {
    std::vector<std::string> found;
    for (auto at = text.find("HTTP/1.1 "); at != std::string_view::npos;
         at = text.find("HTTP/1.1 ", at + 1)) {
        found.emplace_back(text.substr(at + 9, 3));
    }
    return found;
}

void check(const Case& entry, unsigned short port, bool tls, Recorder& recorder) {
    CAPTURE(entry.name, tls);
    RawClient client(port, {.tls = tls});
    auto handled = entry.handled;
    std::vector<std::string> statuses(handled.size(), "200");
    if (entry.ends) {
        client.say(entry.bytes);
        client.end_input();
    } else if (entry.refused != 0) {
        statuses.push_back(std::to_string(entry.refused));
        client.say(entry.bytes + probe);
    } else {
        statuses.emplace_back("200");
        handled.emplace_back("GET /probe []");
        client.say(entry.bytes + probe);
    }
    const std::string answer = client.read_to_end();
    CHECK(statuses_of(answer) == statuses);
    CHECK((entry.ends || count(answer, "Connection: close\r\n") == 1));
    CHECK(recorder.take() == handled);
}

} // namespace

TEST_CASE("confusing requests get exactly the answers they should", "[base]") {
    const bool tls = GENERATE(false, true);
    const test::TemporaryDirectory directory;
    Recorder recorder;
    auto options = options_for([&](const auto& exchange) { recorder.handle(exchange); });
    if (tls) {
        options.tls = make_certificate(directory.path(), "corpus");
    }
    const auto server = serve(std::move(options));
    for (const auto& cases : {length_cases(), coding_cases(), head_cases()}) {
        for (const Case& entry : cases) {
            check(entry, server->port(), tls, recorder);
        }
    }
}

} // namespace interlock::base
