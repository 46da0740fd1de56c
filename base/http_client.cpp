#include "base/http_client.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <memory>

#include <curl/curl.h>

namespace interlock::base {
namespace {

struct EasyDeleter {
    void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
};
struct ListDeleter {
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using Easy = std::unique_ptr<CURL, EasyDeleter>;
using List = std::unique_ptr<curl_slist, ListDeleter>;

/// curl's process-wide state; made once, and before the first handle.
bool curl_is_ready() {
    static const bool ready = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
    return ready;
}

struct Received {
    HttpResponse response;
    std::size_t header_bytes = 0;
    std::size_t bytes_max = 0;
    bool too_much = false;
};

std::size_t take_body(const char* data, std::size_t, std::size_t count, void* context) {
    auto& received = *static_cast<Received*>(context);
    if (received.response.body.size() + count > received.bytes_max) {
        received.too_much = true;
        return 0; // anything but count ends the transfer
    }
    received.response.body.append(data, count);
    return count;
}

std::size_t take_header(const char* data, std::size_t, std::size_t count, void* context) {
    auto& received = *static_cast<Received*>(context);
    received.header_bytes += count;
    if (received.header_bytes > limits::http_header_bytes_max) {
        received.too_much = true;
        return 0;
    }
    const std::string_view line(data, count);
    if (line.starts_with("HTTP/")) {
        received.response.headers.clear(); // an interim answer went before
        return count;
    }
    const auto colon = line.find(':');
    if (colon != std::string_view::npos) {
        received.response.headers.emplace_back(
            std::string(trim(line.substr(0, colon))), std::string(trim(line.substr(colon + 1)))
        );
    }
    return count;
}

bool ends_line(std::string_view text) {
    return text.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos;
}

Result<List> header_list(const HttpCall& call) {
    List list;
    const auto append = [&list](const std::string& line) {
        curl_slist* longer = curl_slist_append(list.get(), line.c_str());
        if (longer != nullptr) {
            (void)list.release();
            list.reset(longer);
        }
        return longer != nullptr;
    };
    // curl would wait for 100 Continue on large bodies; the body is small and goes at once.
    bool complete = append("Expect:");
    for (const auto& [name, value] : call.headers) {
        if (name.empty() || ends_line(name) || ends_line(value)) {
            return Error{Errc::invalid_input, "A header of the HTTP call has a line break.", ""};
        }
        // With a colon curl takes an empty value for "leave this header out".
        complete = complete && append(value.empty() ? name + ";" : name + ": " + value);
    }
    if (!complete) {
        return Error{Errc::internal, "There is no memory for the headers of the HTTP call.", ""};
    }
    return list;
}

/// Only what may be shown: the URL's path and query may hold a token (chat webhooks do).
std::string host_of(const std::string& url) {
    const auto scheme_end = url.find("://");
    const auto start = scheme_end == std::string::npos ? 0 : scheme_end + 3;
    std::string authority = url.substr(start, url.find_first_of("/?#", start) - start);
    const auto at = authority.rfind('@');
    if (at != std::string::npos) {
        authority.erase(0, at + 1);
    }
    return cut_middle(sanitize(authority), 120);
}

bool reaches_loopback(const std::string& url) {
    const std::string authority = host_of(url);
    const std::string host = authority.starts_with('[')
                                 ? authority.substr(1, authority.find(']') - 1)
                                 : authority.substr(0, authority.find(':'));
    return host == "localhost" || is_loopback(host);
}

Error explain(CURLcode code, const HttpCall& call, const Received& received) {
    const std::string host = host_of(call.url);
    if (received.too_much) {
        return Error{
            Errc::limit_exceeded,
            "The answer of " + host + " is larger than " + std::to_string(call.response_bytes_max) +
                " bytes.",
            "Ask for less."};
    }
    switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
        return Error{
            Errc::timeout,
            host + " did not answer within " + std::to_string(call.timeout.count()) + " ms.",
            "Try again, or check the network on the way to it."};
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
        return Error{
            Errc::invalid_input,
            "The URL of the HTTP call is not an http or https URL.",
            "Correct it in the configuration."};
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
        return Error{
            Errc::io,
            "The TLS certificate of " + host + " does not verify.",
            "Check the name in the URL and the certificate authorities of this machine."};
    default:
        return Error{
            Errc::io,
            "There was no answer from " + host + ": " + curl_easy_strerror(code) + ".",
            "Check that it runs and can be reached."};
    }
}

void set_options(CURL* easy, const HttpCall& call, curl_slist* headers, Received& received) {
    curl_easy_setopt(easy, CURLOPT_URL, call.url.c_str());
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L); // threads: no alarm() for name lookups
    const auto timeout = std::max<long long>(call.timeout.count(), 1); // 0 would be none at all
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(timeout));
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(timeout));
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "interlock/" INTERLOCK_VERSION);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, &received);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, &received);
    if (reaches_loopback(call.url)) {
        curl_easy_setopt(easy, CURLOPT_NOPROXY, "*"); // a proxy has another loopback
    }
    if (call.method == "HEAD") {
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
        return;
    }
    if (!call.body.empty() || call.method == "POST" || call.method == "PUT") {
        curl_easy_setopt(
            easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(call.body.size())
        );
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, call.body.c_str());
    }
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, call.method.c_str());
}

} // namespace

Result<HttpResponse> http_call(const HttpCall& call) {
    if (!curl_is_ready()) {
        return Error{Errc::internal, "The HTTP library cannot be initialised.", ""};
    }
    const auto not_a_letter = [](char letter) { return letter < 'A' || letter > 'Z'; };
    if (call.method.empty() || std::any_of(call.method.begin(), call.method.end(), not_a_letter)) {
        return Error{Errc::invalid_input, "The method of the HTTP call is not a word.", ""};
    }
    const Easy easy(curl_easy_init());
    if (!easy) {
        return Error{Errc::internal, "There is no memory for an HTTP call.", ""};
    }
    INTERLOCK_TRY(const List headers, header_list(call));
    Received received;
    received.bytes_max = call.response_bytes_max;
    set_options(easy.get(), call, headers.get(), received);
    const CURLcode code = curl_easy_perform(easy.get());
    if (code != CURLE_OK) {
        return explain(code, call, received);
    }
    long status = 0;
    curl_easy_getinfo(easy.get(), CURLINFO_RESPONSE_CODE, &status);
    received.response.status = static_cast<unsigned>(status);
    return std::move(received.response);
}

} // namespace interlock::base
