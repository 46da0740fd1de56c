#include "base/http_reader.hpp"

#include "base/text.hpp"

#include <algorithm>

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>

namespace interlock::base {
namespace {

namespace http = boost::beast::http;
using boost::beast::error_code;
using Text = boost::beast::string_view;

bool is_control(char letter) {
    const auto byte = static_cast<unsigned char>(letter);
    return (byte < 0x20 && byte != '\t') || byte == 0x7F;
}

/// Puts what Beast's parser finds straight into our request: its own message type would cost an
/// allocation a field, and reserve for the body what the client announces.
class RequestParser final : public http::basic_parser<true> {
public:
    explicit RequestParser(HttpRequest& request) : request_(request) {}

    std::string target;
    int version = 11;
    bool has_too_many_fields = false;

private:
    void
    on_request_impl(http::verb, Text method, Text requested, int spoken, error_code&) override {
        request_.method = method;
        target = requested;
        version = spoken;
    }
    void on_field_impl(http::field, Text name, Text value, error_code& problem) override {
        if (request_.headers.size() == limits::http_fields_max) {
            has_too_many_fields = true;
            problem = http::error::header_limit;
            return;
        }
        request_.headers.emplace_back(name, value);
    }
    void on_header_impl(error_code&) override {}
    std::size_t on_body_impl(Text bytes, error_code&) override {
        request_.body.append(bytes);
        return bytes.size();
    }
    std::size_t on_chunk_body_impl(std::uint64_t, Text bytes, error_code& problem) override {
        return on_body_impl(bytes, problem);
    }
    void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
    void on_chunk_header_impl(std::uint64_t, Text, error_code&) override {}
    void on_finish_impl(error_code&) override {}
    void on_response_impl(int, Text, int, error_code&) override {} // never called

    HttpRequest& request_;
};

/// Origin form only: "/" and then visible ASCII without a fragment.
bool is_target(std::string_view target) {
    if (target.empty() || target.front() != '/') {
        return false;
    }
    for (const char letter : target) {
        if (letter <= 0x20 || letter >= 0x7F || letter == '#') {
            return false;
        }
    }
    return true;
}

bool is_length(std::string_view value) {
    return !value.empty() && value.size() <= 18 &&
           value.find_first_not_of("0123456789") == std::string_view::npos;
}

/// Tiny chunks and their extensions cost more bytes than they carry; this much is tolerated.
std::size_t sent_max(std::size_t body_bytes_max) {
    return 2 * body_bytes_max + 64 * 1024;
}

} // namespace

struct HttpReader::Parser {
    RequestParser http;
};

HttpReader::HttpReader(std::size_t body_bytes_max) : body_bytes_max_(body_bytes_max) {}
HttpReader::~HttpReader() = default;

HttpReader::State HttpReader::refuse(unsigned status, const std::string& why) {
    refusal_ = HttpResponse{status, {{"Content-Type", "text/plain; charset=utf-8"}}, why + "\n"};
    return state_ = State::refused;
}

HttpReader::State HttpReader::feed(std::string& bytes) {
    if (state_ == State::header) {
        return read_head(bytes);
    }
    if (state_ == State::body) {
        return read_body(bytes);
    }
    return state_;
}

/// Judges every byte once as it arrives, so that a malformed head is answered without waiting for
/// an end that may never come.
HttpReader::State HttpReader::read_head(std::string& bytes) {
    for (; scanned_ < bytes.size(); ++scanned_) {
        if (scanned_ >= limits::http_header_bytes_max) {
            return refuse(431, "The request's header fields are too large.");
        }
        const auto byte = static_cast<unsigned char>(bytes[scanned_]);
        const char before = scanned_ == 0 ? '\0' : bytes[scanned_ - 1];
        if ((byte == '\n') != (before == '\r')) {
            return refuse(400, "A line of the request does not end with CR LF.");
        }
        if (byte == '\n') {
            if (scanned_ == 1) {
                return refuse(400, "The request line is empty.");
            }
            if (std::string_view(bytes).substr(0, scanned_ + 1).ends_with("\r\n\r\n")) {
                ++scanned_;
                return parse_head(bytes);
            }
        } else if (before == '\n' && (byte == ' ' || byte == '\t')) {
            return refuse(400, "A header field is folded over two lines.");
        } else if (is_control(bytes[scanned_]) && byte != '\r') {
            return refuse(400, "The request head has a control character.");
        }
    }
    return state_;
}

HttpReader::State HttpReader::parse_head(std::string& bytes) {
    request_.headers.reserve(16);
    parser_.reset(new Parser{RequestParser(request_)});
    auto& http = parser_->http;
    http.eager(false);
    http.header_limit(static_cast<std::uint32_t>(limits::http_header_bytes_max) + 1);
    http.body_limit(boost::none); // judged after the gate
    error_code problem;
    const std::size_t used = http.put(boost::asio::buffer(bytes.data(), scanned_), problem);
    if (http.has_too_many_fields) {
        return refuse(431, "The request has too many header fields.");
    }
    if (problem || !http.is_header_done() || used != scanned_) {
        return refuse(400, "The request head is malformed.");
    }
    bytes.erase(0, scanned_);
    if (!is_target(http.target)) {
        return refuse(400, "The request target is not a path.");
    }
    const auto question = http.target.find('?');
    request_.path = http.target.substr(0, question);
    request_.query = question == std::string::npos ? "" : http.target.substr(question + 1);
    return check_framing();
}

HttpReader::State HttpReader::check_framing() {
    const std::size_t lengths = request_.header_count("Content-Length");
    const std::size_t codings = request_.header_count("Transfer-Encoding");
    if (lengths > 1 || codings > 1 || (lengths == 1 && codings == 1)) {
        return refuse(400, "The length of the request is told twice.");
    }
    if (lengths == 1 && !is_length(*request_.header("Content-Length"))) {
        return refuse(400, "The Content-Length is not a number.");
    }
    if (codings == 1) {
        if (http_1_0()) {
            return refuse(400, "HTTP/1.0 has no transfer coding.");
        }
        if (lower_ascii(*request_.header("Transfer-Encoding")) != "chunked") {
            return refuse(501, "The only transfer coding understood is chunked.");
        }
    }
    const std::size_t hosts = request_.header_count("Host");
    if (hosts > 1 || (hosts == 0 && !http_1_0())) {
        return refuse(400, "The request needs exactly one Host header.");
    }
    if (request_.header_count("Expect") > 0 && !expects_continue()) {
        return refuse(417, "The only expectation understood is 100-continue.");
    }
    return state_ = State::gate;
}

HttpReader::State HttpReader::open_gate() {
    const auto& http = parser_->http;
    if (http.content_length().value_or(0) > body_bytes_max_) {
        return refuse(413, "The request body is too large.");
    }
    body_left_ = static_cast<std::size_t>(http.content_length().value_or(0));
    if (http.chunked()) {
        chunks_.emplace(body_bytes_max_);
    }
    return state_ = chunks_ || body_left_ > 0 ? State::body : State::complete;
}

HttpReader::State HttpReader::read_body(std::string& bytes) {
    if (chunks_) {
        return read_chunks(bytes);
    }
    const std::size_t count = std::min(body_left_, bytes.size());
    request_.body.append(bytes, 0, count);
    bytes.erase(0, count);
    body_left_ -= count;
    return state_ = body_left_ == 0 ? State::complete : State::body;
}

HttpReader::State HttpReader::read_chunks(std::string& bytes) {
    std::size_t used = 0;
    const auto found = chunks_->feed(bytes, request_.body, used);
    bytes.erase(0, used);
    framing_taken_ += used;
    if (found == ChunkReader::State::malformed) {
        return refuse(400, "The request body is malformed.");
    }
    const bool endless =
        found == ChunkReader::State::more && framing_taken_ > sent_max(body_bytes_max_);
    if (found == ChunkReader::State::too_large || endless) {
        return refuse(413, "The request body is too large.");
    }
    return state_ = found == ChunkReader::State::complete ? State::complete : State::body;
}

bool HttpReader::http_1_0() const {
    return parser_ && parser_->http.version < 11;
}

bool HttpReader::keep_alive() const {
    return parser_ && !http_1_0() && parser_->http.keep_alive();
}

bool HttpReader::expects_continue() const {
    const auto expectation = request_.header("Expect");
    return expectation && lower_ascii(*expectation) == "100-continue" && !http_1_0();
}

} // namespace interlock::base
