#include "base/http_client.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cstdint>
#include <memory>
#include <netdb.h>
#include <optional>
#include <sys/socket.h>

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
    HttpReach reach = HttpReach::any;
    bool out_of_reach = false;
};

// Ranges of the IANA special-purpose registries, as a prefix and its length in bits.
struct Range {
    std::array<std::uint8_t, 16> prefix;
    int bits;
};
constexpr int mapped = 96; // an IPv4 address stands behind 96 bits of ::ffff:0:0

constexpr Range v4(std::uint8_t a, std::uint8_t b, std::uint8_t c, int bits) {
    return {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, a, b, c, 0}, mapped + bits};
}

constexpr std::array loopback_ranges{
    v4(127, 0, 0, 8), Range{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 128}};
/// Never a server that one means to call: unspecified, link-local, multicast and reserved ones,
/// documentation and benchmarks, and the old ways to write an IPv4 address inside an IPv6 one.
constexpr std::array odd_ranges{
    v4(0, 0, 0, 8),
    v4(169, 254, 0, 16),
    v4(192, 0, 0, 24),
    v4(192, 0, 2, 24),
    v4(198, 18, 0, 15),
    v4(198, 51, 100, 24),
    v4(203, 0, 113, 24),
    v4(224, 0, 0, 4),
    v4(240, 0, 0, 4),
    Range{{}, 96},
    Range{{0x00, 0x64, 0xFF, 0x9B}, 32},
    Range{{0x01, 0x00}, 64},
    Range{{0x20, 0x01, 0x0D, 0xB8}, 32},
    Range{{0x20, 0x01}, 23},
    Range{{0x20, 0x02}, 16},
    Range{{0xFE, 0x80}, 10},
    Range{{0xFE, 0xC0}, 10},
    Range{{0xFF}, 8}};
constexpr Range translated{{0x00, 0x64, 0xFF, 0x9B}, 96}; // NAT64
constexpr std::array private_ranges{
    v4(10, 0, 0, 8), v4(100, 64, 0, 10), v4(172, 16, 0, 12), v4(192, 168, 0, 16), Range{{0xFC}, 7}};

using Address = std::array<std::uint8_t, 16>;

bool is_in(const Address& address, const Range& range) {
    for (int bit = 0; bit < range.bits; ++bit) {
        const auto byte = static_cast<std::size_t>(bit / 8);
        if (((address[byte] ^ range.prefix[byte]) >> (7 - bit % 8) & 1) != 0) {
            return false;
        }
    }
    return true;
}

/// IPv4, also behind NAT64, in its mapped IPv6 form, so that all spellings are judged alike.
std::optional<Address> address_of(const std::string& text) {
    Address address{};
    if (::inet_pton(AF_INET6, text.c_str(), address.data()) == 1) {
        if (is_in(address, translated)) {
            std::copy_n(v4(0, 0, 0, 0).prefix.begin(), mapped / 8, address.begin());
        }
        return address;
    }
    if (::inet_pton(AF_INET, text.c_str(), address.data() + 12) != 1) {
        return std::nullopt;
    }
    address[10] = address[11] = 0xFF;
    return address;
}

template <class Ranges>
bool is_in_any(const Address& address, const Ranges& ranges) {
    return std::any_of(ranges.begin(), ranges.end(), [&](const Range& range) {
        return is_in(address, range);
    });
}

/// curl asks this for the socket to every address it is about to connect to.
curl_socket_t open_socket(void* context, curlsocktype, curl_sockaddr* to) {
    auto& received = *static_cast<Received*>(context);
    std::array<char, NI_MAXHOST> text{};
    const bool known = ::getnameinfo(
                           &to->addr,
                           to->addrlen,
                           text.data(),
                           static_cast<socklen_t>(text.size()),
                           nullptr,
                           0,
                           NI_NUMERICHOST
                       ) == 0;
    const std::string_view whole(text.data());
    if (!known || !is_within(received.reach, whole.substr(0, whole.find('%')))) {
        received.out_of_reach = true;
        return CURL_SOCKET_BAD;
    }
    return ::socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

/// curl asks this about once a second, and oftener while bytes flow.
int give_up(void* context, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    return static_cast<const std::stop_token*>(context)->stop_requested() ? 1 : 0;
}

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
    if (received.out_of_reach) {
        return Error{
            Errc::refused,
            "The name " + host + " leads to an address that this call may not reach.",
            "Name a server that is where the configuration says."};
    }
    switch (code) {
    case CURLE_ABORTED_BY_CALLBACK:
        return Error{Errc::cancelled, "The call to " + host + " was given up.", ""};
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
    if (!call.authorities.empty()) {
        curl_easy_setopt(easy, CURLOPT_CAINFO, call.authorities.c_str());
    }
    if (call.reach != HttpReach::any || reaches_loopback(call.url)) {
        curl_easy_setopt(easy, CURLOPT_NOPROXY, "*"); // a proxy has another loopback
    }
    if (call.reach != HttpReach::any) {
        curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
        curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, &received);
    }
    if (call.stop.stop_possible()) {
        curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
        curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, give_up);
        curl_easy_setopt(easy, CURLOPT_XFERINFODATA, &call.stop);
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

bool is_within(HttpReach reach, std::string_view address) {
    if (reach == HttpReach::any) {
        return true;
    }
    const auto bytes = address_of(std::string(address));
    if (!bytes) {
        return false;
    }
    const bool local = is_in_any(*bytes, loopback_ranges);
    if (reach == HttpReach::loopback || local) {
        return local && reach == HttpReach::loopback;
    }
    return !is_in_any(*bytes, odd_ranges) &&
           (reach == HttpReach::network || !is_in_any(*bytes, private_ranges));
}

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
    received.reach = call.reach;
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
