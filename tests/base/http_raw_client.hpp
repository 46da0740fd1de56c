// A client that says exactly what a test wants said, over plain TCP or TLS; and certificates for
// the latter, made on the spot.
#pragma once

#include "base/clock.hpp"
#include "base/http_server.hpp"
#include "tests/support/fakes.hpp"

#include <arpa/inet.h>
#include <cstdio>
#include <future>
#include <memory>
#include <mutex>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

namespace interlock::base {

/// A handler that hands its exchange, the only one, to the test.
class Taken {
public:
    HttpHandler handler() {
        return [this](std::shared_ptr<HttpExchange> exchange) {
            promise_.set_value(std::move(exchange));
        };
    }
    std::shared_ptr<HttpExchange> get() { return promise_.get_future().get(); }

private:
    std::promise<std::shared_ptr<HttpExchange>> promise_;
};

class RawClient {
public:
    struct Options {
        const char* from = nullptr;      // a loopback address of its own
        bool tls = false;                // shakes hands at once
        int tls_version = 0;             // 0: the best that both have
        std::string_view protocols = {}; // ALPN, as on the wire
        int receive_buffer = 0;          // 0: the system's
    };

    explicit RawClient(unsigned short port) : RawClient(port, Options{}) {}
    RawClient(unsigned short port, const Options& options)
        : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        const timeval patience{20, 0};
        ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        if (options.receive_buffer != 0) {
            const int size = options.receive_buffer;
            ::setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
        }
        const int on = 1; // a handshake's last word is not to wait for an acknowledgement
        ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        if (options.from != nullptr) {
            ::inet_pton(AF_INET, options.from, &address.sin_addr);
            REQUIRE(::bind(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
        }
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        connected_ = ::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
        if (options.tls && connected_) {
            shake_hands(options);
        }
    }
    RawClient(RawClient&& other) noexcept
        : socket_(std::exchange(other.socket_, -1)),
          connected_(other.connected_),
          text_(std::move(other.text_)),
          context_(std::move(other.context_)),
          tls_(std::move(other.tls_)) {}
    RawClient(const RawClient&) = delete;
    RawClient& operator=(const RawClient&) = delete;
    ~RawClient() { close(); }

    bool connected() const { return connected_; }
    /// Null unless the handshake succeeded.
    SSL* tls() const { return tls_.get(); }
    void close() {
        if (socket_ >= 0) {
            ::close(std::exchange(socket_, -1));
        }
    }
    void say(std::string_view bytes) {
        if (tls_) {
            (void)SSL_write(tls_.get(), bytes.data(), static_cast<int>(bytes.size()));
        } else {
            (void)!::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        }
    }
    void end_input() {
        if (tls_) {
            (void)SSL_shutdown(tls_.get());
        }
        ::shutdown(socket_, SHUT_WR);
    }

    /// Reads until the text holds `wanted` (and is then taken), or the server closes.
    std::string read_until(std::string_view wanted) {
        for (;;) {
            const auto found = text_.find(wanted);
            if (found != std::string::npos) {
                std::string out = text_.substr(0, found + wanted.size());
                text_.erase(0, found + wanted.size());
                return out;
            }
            if (!more()) {
                return std::exchange(text_, {});
            }
        }
    }
    /// The rest of a chunked answer.
    std::string read_stream() { return read_until("\r\n0\r\n\r\n"); }
    /// Everything until the server closes.
    std::string read_to_end() {
        while (more()) {
        }
        return std::exchange(text_, {});
    }
    /// True when the server closes without another byte.
    bool is_closed() { return !more() && text_.empty(); }

private:
    void shake_hands(const Options& options) {
        context_ = {SSL_CTX_new(TLS_client_method()), SSL_CTX_free};
        tls_ = {SSL_new(context_.get()), SSL_free};
        if (options.tls_version != 0) {
            SSL_set_security_level(tls_.get(), 0); // to offer what is too old
            SSL_set_min_proto_version(tls_.get(), options.tls_version);
            SSL_set_max_proto_version(tls_.get(), options.tls_version);
        }
        if (!options.protocols.empty()) {
            SSL_set_alpn_protos(
                tls_.get(),
                reinterpret_cast<const unsigned char*>(options.protocols.data()),
                static_cast<unsigned>(options.protocols.size())
            );
        }
        SSL_set_fd(tls_.get(), socket_);
        if (SSL_connect(tls_.get()) != 1) {
            tls_.reset();
        }
    }
    bool more() {
        char buffer[16 * 1024];
        ssize_t count = 0;
        if (tls_) {
            count = SSL_read(tls_.get(), buffer, sizeof buffer);
            if (count <= 0 && SSL_get_error(tls_.get(), -1) == SSL_ERROR_WANT_READ) {
                FAIL("the server said nothing for twenty seconds");
            }
        } else {
            count = ::recv(socket_, buffer, sizeof buffer, 0);
            if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
                FAIL("the server said nothing for twenty seconds");
            }
        }
        if (count > 0) {
            text_.append(buffer, static_cast<std::size_t>(count));
        }
        return count > 0;
    }

    int socket_;
    bool connected_ = false;
    std::string text_;
    std::shared_ptr<SSL_CTX> context_;
    std::shared_ptr<SSL> tls_;
};

/// A self-signed certificate for `name` and its key, as PEM files.
inline HttpTls make_certificate(const std::string& directory, const std::string& name) {
    const HttpTls files{directory + "/" + name + ".crt", directory + "/" + name + ".key"};
    const std::shared_ptr<EVP_PKEY> key(EVP_EC_gen("P-256"), EVP_PKEY_free);
    const std::shared_ptr<X509> certificate(X509_new(), X509_free);
    X509_set_version(certificate.get(), X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -60);
    X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
    X509_NAME* subject = X509_get_subject_name(certificate.get());
    X509_NAME_add_entry_by_txt(
        subject, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0
    );
    X509_set_issuer_name(certificate.get(), subject);
    X509_set_pubkey(certificate.get(), key.get());
    REQUIRE(X509_sign(certificate.get(), key.get(), EVP_sha256()) > 0);
    const auto open = [](const std::string& path) {
        return std::unique_ptr<std::FILE, int (*)(std::FILE*)>(
            std::fopen(path.c_str(), "w"), std::fclose
        );
    };
    REQUIRE(PEM_write_X509(open(files.certificate_file).get(), certificate.get()) == 1);
    REQUIRE(
        PEM_write_PrivateKey(
            open(files.key_file).get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr
        ) == 1
    );
    ::chmod(files.key_file.c_str(), 0600);
    return files;
}

inline std::size_t count(std::string_view text, std::string_view part) {
    std::size_t found = 0;
    for (auto at = text.find(part); at != std::string_view::npos; at = text.find(part, at + 1)) {
        ++found;
    }
    return found;
}

inline HttpServerOptions options_for(HttpHandler handler) {
    HttpServerOptions options;
    options.handler = std::move(handler);
    return options;
}

inline std::unique_ptr<HttpServer> serve(HttpServerOptions options) {
    auto server = HttpServer::start(std::move(options));
    REQUIRE(server.ok());
    return std::move(server).value();
}

inline std::unique_ptr<HttpServer> serve(HttpHandler handler) {
    return serve(options_for(std::move(handler)));
}

inline void echo(const std::shared_ptr<HttpExchange>& exchange) {
    const auto& request = exchange->request();
    exchange->respond({200, {}, request.method + " " + request.path + " [" + request.body + "]"});
}

inline const std::string get = "GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n";

inline std::string post(std::string_view body, std::string_view headers = "") {
    return "POST /x HTTP/1.1\r\nHost: localhost\r\n" + std::string(headers) +
           "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

/// Options for a plain server or one with TLS, and what the latter needs.
struct Setting {
    explicit Setting(bool with_tls) : tls(with_tls) {}

    HttpServerOptions options(HttpHandler handler) const {
        auto chosen = options_for(std::move(handler));
        if (tls) {
            chosen.tls = make_certificate(directory.path(), "server");
        }
        return chosen;
    }

    bool tls;
    test::TemporaryDirectory directory;
};

/// Keeps what it is handed.
class Keeper {
public:
    HttpHandler handler() {
        return [this](std::shared_ptr<HttpExchange> exchange) {
            const std::lock_guard lock(mutex_);
            kept_.push_back(std::move(exchange));
        };
    }
    std::size_t size() {
        const std::lock_guard lock(mutex_);
        return kept_.size();
    }
    std::vector<std::shared_ptr<HttpExchange>> take() {
        const std::lock_guard lock(mutex_);
        return std::exchange(kept_, {});
    }

private:
    std::mutex mutex_;
    std::vector<std::shared_ptr<HttpExchange>> kept_;
};

/// Waits for a condition instead of sleeping and hoping.
template <class Condition>
bool eventually(Condition condition) {
    SystemClock clock;
    const Ticks end = clock.ticks() + std::chrono::seconds{10};
    while (!condition()) {
        if (clock.ticks() > end) {
            return false;
        }
        clock.sleep_for(std::chrono::milliseconds{1});
    }
    return true;
}

} // namespace interlock::base
