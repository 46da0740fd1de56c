#include "base/http_head.hpp"

#include "base/text.hpp"

#include <array>
#include <cstdio>

namespace interlock::base {
namespace {

const char* reason_of(unsigned status) {
    switch (status) {
    case 100:
        return "Continue";
    case 200:
        return "OK";
    case 201:
        return "Created";
    case 202:
        return "Accepted";
    case 204:
        return "No Content";
    case 302:
        return "Found";
    case 303:
        return "See Other";
    case 304:
        return "Not Modified";
    case 400:
        return "Bad Request";
    case 401:
        return "Unauthorized";
    case 403:
        return "Forbidden";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 406:
        return "Not Acceptable";
    case 408:
        return "Request Timeout";
    case 409:
        return "Conflict";
    case 413:
        return "Content Too Large";
    case 415:
        return "Unsupported Media Type";
    case 417:
        return "Expectation Failed";
    case 429:
        return "Too Many Requests";
    case 431:
        return "Request Header Fields Too Large";
    case 500:
        return "Internal Server Error";
    case 501:
        return "Not Implemented";
    case 503:
        return "Service Unavailable";
    case 505:
        return "HTTP Version Not Supported";
    default:
        return ""; // RFC 9112 section 4: the phrase may be empty
    }
}

/// RFC 9110 section 5.6.7: Sun, 06 Nov 1994 08:49:37 GMT.
std::string write_date(std::chrono::sys_seconds now) {
    static constexpr std::array days{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static constexpr std::array months{
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const auto day = std::chrono::floor<std::chrono::days>(now);
    const std::chrono::year_month_day date{day};
    const std::chrono::hh_mm_ss clock{now - day};
    std::array<char, 48> buffer{};
    const int length = std::snprintf(
        buffer.data(),
        buffer.size(),
        "%s, %02u %s %04d %02d:%02d:%02d GMT",
        days[std::chrono::weekday{day}.c_encoding()],
        static_cast<unsigned>(date.day()),
        months[static_cast<unsigned>(date.month()) - 1],
        static_cast<int>(date.year()),
        static_cast<int>(clock.hours().count()),
        static_cast<int>(clock.minutes().count()),
        static_cast<int>(clock.seconds().count())
    );
    return std::string(buffer.data(), static_cast<std::size_t>(length));
}

/// Written once a second, not once an answer.
const std::string& http_date(Time now) {
    const auto second = std::chrono::floor<std::chrono::seconds>(now);
    thread_local std::chrono::sys_seconds written_for{};
    thread_local std::string date = write_date(written_for);
    if (second != written_for) {
        written_for = second;
        date = write_date(second);
    }
    return date;
}

bool is_ours(std::string_view name) {
    const std::string lower = lower_ascii(name);
    return lower == "content-length" || lower == "transfer-encoding" || lower == "connection" ||
           lower == "date";
}

void append_header(std::string& head, std::string_view name, std::string_view value) {
    head += name;
    head += ": ";
    for (const char letter : value) {
        const auto byte = static_cast<unsigned char>(letter);
        head += byte < 0x20 || byte == 0x7F ? ' ' : letter;
    }
    head += "\r\n";
}

std::string
start_head(unsigned status, const HttpHeaders& headers, const HttpFraming& framing, Time now) {
    std::string head;
    head.reserve(512);
    head += "HTTP/1.1 ";
    head += std::to_string(status);
    head += ' ';
    head += reason_of(status);
    head += "\r\n";
    append_header(head, "Date", http_date(now));
    for (const auto& [name, value] : headers) {
        if (is_token(name) && !is_ours(name)) {
            append_header(head, name, value);
        }
    }
    if (framing.close || framing.http_1_0) {
        append_header(head, "Connection", "close");
    }
    return head;
}

bool forbids_body(unsigned status) {
    return status < 200 || status == 204 || status == 304;
}

} // namespace

std::string render_head(const HttpResponse& response, const HttpFraming& framing, Time now) {
    std::string out = start_head(response.status, response.headers, framing, now);
    if (!forbids_body(response.status)) {
        append_header(out, "Content-Length", std::to_string(response.body.size()));
    }
    return out + "\r\n";
}

bool sends_body(const HttpResponse& response, const HttpFraming& framing) {
    return !framing.head_only && !forbids_body(response.status);
}

std::string render_stream_head(
    unsigned status, const HttpHeaders& headers, const HttpFraming& framing, Time now
) {
    std::string head = start_head(status, headers, framing, now);
    if (!framing.http_1_0) {
        append_header(head, "Transfer-Encoding", "chunked");
    }
    return head + "\r\n";
}

std::string render_chunk(std::string_view bytes, const HttpFraming& framing) {
    if (bytes.empty() || framing.head_only) {
        return ""; // an empty chunk would end the answer
    }
    if (framing.http_1_0) {
        return std::string(bytes);
    }
    std::array<char, 24> size{};
    const int length = std::snprintf(size.data(), size.size(), "%zx\r\n", bytes.size());
    std::string chunk(size.data(), static_cast<std::size_t>(length));
    chunk += bytes;
    chunk += "\r\n";
    return chunk;
}

std::string render_stream_end(const HttpFraming& framing) {
    return framing.http_1_0 || framing.head_only ? "" : "0\r\n\r\n";
}

} // namespace interlock::base
