#include "base/http_reader.hpp"

#include "base/text.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/beast/core/buffers_range.hpp>
#include <boost/beast/http/parser.hpp>

namespace interlock::base {
namespace {

namespace http = boost::beast::http;

/// Grows with what has arrived. Beast's own string body reserves what the client announces.
struct ArrivedBody {
    using value_type = std::string;

    static std::uint64_t size(const value_type& body) { return body.size(); }

    class reader { // NOLINT(readability-identifier-naming): the name Beast asks for
    public:
        template <bool isRequest, class Fields>
        reader(http::header<isRequest, Fields>&, value_type& body) : body_(body) {}

        void init(const boost::optional<std::uint64_t>&, boost::beast::error_code& problem) {
            problem = {};
        }
        template <class Buffers>
        std::size_t put(const Buffers& buffers, boost::beast::error_code& problem) {
            problem = {};
            std::size_t taken = 0;
            for (const auto buffer : boost::beast::buffers_range_ref(buffers)) {
                body_.append(static_cast<const char*>(buffer.data()), buffer.size());
                taken += buffer.size();
            }
            return taken;
        }
        void finish(boost::beast::error_code& problem) { problem = {}; }

    private:
        value_type& body_;
    };
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
    http::request_parser<ArrivedBody> http;
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
            if (std::string_view(bytes).substr(scanned_ - 3, 4) == "\r\n\r\n") {
                ++scanned_;
                return parse_head(bytes);
            }
        } else if (before == '\n' && (byte == ' ' || byte == '\t')) {
            return refuse(400, "A header field is folded over two lines.");
        } else if ((byte < 0x20 && byte != '\t' && byte != '\r') || byte == 0x7F) {
            return refuse(400, "The request head has a control character.");
        }
    }
    return state_;
}

HttpReader::State HttpReader::parse_head(std::string& bytes) {
    parser_ = std::make_unique<Parser>();
    auto& http = parser_->http;
    http.eager(false);
    http.header_limit(static_cast<std::uint32_t>(limits::http_header_bytes_max) + 1);
    http.body_limit(boost::none); // judged after the gate
    boost::beast::error_code problem;
    const std::size_t used = http.put(boost::asio::buffer(bytes.data(), scanned_), problem);
    if (problem || !http.is_header_done() || used != scanned_) {
        return refuse(400, "The request head is malformed.");
    }
    bytes.erase(0, scanned_);
    const auto& head = http.get();
    request_.method = std::string(head.method_string());
    const std::string target(head.target());
    if (!is_target(target)) {
        return refuse(400, "The request target is not a path.");
    }
    const auto question = target.find('?');
    request_.path = target.substr(0, question);
    request_.query = question == std::string::npos ? "" : target.substr(question + 1);
    for (const auto& field : head) {
        request_.headers.emplace_back(std::string(field.name_string()), std::string(field.value()));
    }
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
    auto& http = parser_->http;
    if (http.content_length().value_or(0) > body_bytes_max_) {
        return refuse(413, "The request body is too large.");
    }
    http.body_limit(body_bytes_max_);
    http.eager(true);
    return state_ = http.is_done() ? State::complete : State::body;
}

HttpReader::State HttpReader::read_body(std::string& bytes) {
    auto& http = parser_->http;
    boost::beast::error_code problem;
    while (!http.is_done() && !bytes.empty() && !problem) {
        const std::size_t used = http.put(boost::asio::buffer(bytes), problem);
        bytes.erase(0, used);
        body_taken_ += used;
        if (problem == http::error::need_more) {
            break;
        }
    }
    const bool too_large =
        problem == http::error::body_limit ||
        (!http.is_done() && body_taken_ + bytes.size() > sent_max(body_bytes_max_));
    if (too_large) {
        return refuse(413, "The request body is too large.");
    }
    if (problem && problem != http::error::need_more) {
        return refuse(400, "The request body is malformed.");
    }
    if (http.is_done()) {
        request_.body = std::move(http.get().body());
        state_ = State::complete;
    }
    return state_;
}

bool HttpReader::http_1_0() const {
    return parser_ && parser_->http.get().version() < 11;
}

bool HttpReader::keep_alive() const {
    return parser_ && !http_1_0() && parser_->http.get().keep_alive();
}

bool HttpReader::expects_continue() const {
    const auto expectation = request_.header("Expect");
    return expectation && lower_ascii(*expectation) == "100-continue" && !http_1_0();
}

std::size_t HttpReader::body_bytes() const {
    return parser_ ? parser_->http.get().body().size() + request_.body.size() : 0;
}

} // namespace interlock::base
