#include "base/http_tls.hpp"
#include "tests/base/http_raw_client.hpp"
#include "tests/support/fakes.hpp"

#include <atomic>
#include <fcntl.h>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

namespace interlock::base {
namespace {

using namespace std::chrono_literals;

/// A server with a certificate of its own.
struct Secured {
    explicit Secured(HttpHandler handler = echo, HttpDeadlines deadlines = {}) {
        auto options = options_for(std::move(handler));
        options.tls = files;
        options.deadlines = deadlines;
        server = serve(std::move(options));
    }
    RawClient client(RawClient::Options options = {}) const {
        options.tls = true;
        return RawClient(server->port(), options);
    }

    test::TemporaryDirectory directory;
    HttpTls files = make_certificate(directory.path(), "first");
    std::unique_ptr<HttpServer> server;
};

std::string name_of(const RawClient& client) {
    const std::shared_ptr<X509> certificate(SSL_get1_peer_certificate(client.tls()), X509_free);
    char name[64] = {};
    X509_NAME_get_text_by_NID(
        X509_get_subject_name(certificate.get()), NID_commonName, name, sizeof name
    );
    return name;
}

bool answers(RawClient& client) {
    client.say(post("hi"));
    return client.read_until("]").ends_with("POST /x [hi]");
}

void copy(const std::string& from, const std::string& to) {
    REQUIRE(write_file_atomically(to, read_file(from, 1 << 20).value(), 0600).ok());
}

/// What `body` writes to stderr.
template <class Body>
std::string stderr_of(const test::TemporaryDirectory& directory, Body body) {
    const std::string path = directory.file("stderr");
    const int saved = ::dup(2);
    const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ::dup2(file, 2);
    body();
    ::dup2(saved, 2);
    ::close(file);
    ::close(saved);
    return read_file(path, 1 << 20).value();
}

} // namespace

TEST_CASE("requests are answered over TLS 1.2 and 1.3, over and over", "[base]") {
    const Secured secured;
    const int version = GENERATE(TLS1_2_VERSION, TLS1_3_VERSION);
    auto client = secured.client({.tls_version = version, .protocols = "\x08http/1.1"});
    REQUIRE(client.tls() != nullptr);
    CHECK(SSL_version(client.tls()) == version);
    const unsigned char* protocol = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(client.tls(), &protocol, &size);
    CHECK(std::string_view(reinterpret_cast<const char*>(protocol), size) == "http/1.1");
    for (int round = 0; round < 3; ++round) {
        CHECK(answers(client));
    }
    client.say("GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    CHECK(client.read_to_end().ends_with("GET /last []"));
    // The end is told, so that nobody can cut an answer short unseen.
    CHECK((SSL_get_shutdown(client.tls()) & SSL_RECEIVED_SHUTDOWN) != 0);
}

TEST_CASE("old versions, other protocols and weak ciphers get no connection", "[base]") {
    const Secured secured;
    CHECK(secured.client({.tls_version = TLS1_1_VERSION}).tls() == nullptr);
    CHECK(secured.client({.tls_version = TLS1_VERSION}).tls() == nullptr);
    CHECK(secured.client({.protocols = "\x02h2"}).tls() == nullptr);
    const auto both = secured.client({.protocols = "\x02h2\x08http/1.1"});
    CHECK(both.tls() != nullptr);
    auto healthy = secured.client();
    CHECK(answers(healthy));
}

TEST_CASE("a session is neither renegotiated nor resumed", "[base]") {
    const Secured secured;
    auto client = secured.client({.tls_version = TLS1_2_VERSION});
    REQUIRE(client.tls() != nullptr);
    CHECK(answers(client));
    CHECK(SSL_get_current_compression(client.tls()) == nullptr);
    const SSL_SESSION* session = SSL_get0_session(client.tls());
    CHECK(SSL_SESSION_has_ticket(session) == 0);
    unsigned id_size = 1;
    (void)SSL_SESSION_get_id(session, &id_size);
    CHECK(id_size == 0);
    SSL_renegotiate(client.tls());
    CHECK(SSL_do_handshake(client.tls()) != 1);
    auto modern = secured.client({.tls_version = TLS1_3_VERSION});
    CHECK(answers(modern));
    CHECK(SSL_SESSION_has_ticket(SSL_get0_session(modern.tls())) == 0);
}

TEST_CASE("plain HTTP on the TLS port reaches no handler and gets no answer", "[base]") {
    std::atomic<int> handled{0};
    const Secured secured([&handled](const std::shared_ptr<HttpExchange>& exchange) {
        ++handled;
        echo(exchange);
    });
    RawClient client(secured.server->port());
    client.say(get);
    CHECK(client.read_to_end().find("HTTP") == std::string::npos);
    CHECK(handled == 0);
}

TEST_CASE("a handshake has a deadline, and so has all that follows", "[base]") {
    const Secured secured(
        echo,
        {.header = 150ms,
         .body = 150ms,
         .idle = 300ms,
         .write = 1s,
         .linger = 100ms,
         .handshake = 150ms}
    );
    RawClient silent(secured.server->port());
    RawClient slow(secured.server->port());
    slow.say("\x16\x03\x01");
    CHECK(silent.is_closed());
    CHECK(slow.is_closed());
    auto idle = secured.client();
    auto header = secured.client();
    header.say("GET / HTTP/1.1\r\nHost:");
    CHECK(header.read_to_end().starts_with("HTTP/1.1 408 "));
    auto body = secured.client();
    body.say("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc");
    CHECK(body.read_to_end().starts_with("HTTP/1.1 408 "));
    CHECK(idle.is_closed());
}

TEST_CASE("large bodies and answers pass through many records", "[base]") {
    const Secured secured([](const std::shared_ptr<HttpExchange>& exchange) {
        exchange->respond({200, {}, exchange->request().body + "."});
    });
    auto client = secured.client({.receive_buffer = 4096});
    const std::string body(limits::http_body_bytes_max, 'x');
    for (int round = 0; round < 2; ++round) {
        client.say(post(body));
        (void)client.read_until("\r\n\r\n");
        CHECK(client.read_until(".") == body + ".");
    }
}

TEST_CASE("a client that said goodbye over TLS still gets its answer", "[base]") {
    Taken taken;
    const Secured secured(taken.handler());
    auto client = secured.client();
    client.say(get);
    const auto exchange = taken.get();
    client.end_input();
    CHECK(eventually([&] { return exchange->gone().stop_requested(); }));
    exchange->respond({200, {}, "all the same"});
    CHECK(client.read_to_end().ends_with("all the same"));
}

TEST_CASE("a reloaded certificate is for new connections", "[base]") {
    Secured secured;
    auto before = secured.client();
    CHECK(name_of(before) == "first");
    const HttpTls second = make_certificate(secured.directory.path(), "second");
    copy(second.certificate_file, secured.files.certificate_file);
    copy(second.key_file, secured.files.key_file);
    REQUIRE(secured.server->reload_tls().ok());
    auto after = secured.client();
    CHECK(name_of(after) == "second");
    CHECK(answers(after));
    CHECK(answers(before));
}

TEST_CASE("a broken new certificate leaves the old one in place", "[base]") {
    Secured secured;
    const HttpTls other = make_certificate(secured.directory.path(), "other");
    const std::string broken = GENERATE("no certificate", "half", "empty", "missing");
    if (broken == "half") { // as when a renewal is caught between its two files
        copy(other.certificate_file, secured.files.certificate_file);
    } else if (broken == "missing") {
        REQUIRE(::unlink(secured.files.key_file.c_str()) == 0);
    } else {
        const std::string text = broken == "empty" ? "" : "nothing of PEM";
        REQUIRE(write_file_atomically(secured.files.certificate_file, text, 0600).ok());
    }
    CAPTURE(broken);
    const Status status = secured.server->reload_tls();
    REQUIRE_FALSE(status.ok());
    CHECK(status.error().what.find(secured.directory.path()) != std::string::npos);
    auto client = secured.client();
    CHECK(name_of(client) == "first");
    CHECK(answers(client));
}

TEST_CASE("a server without its certificate or key does not start and says why", "[base]") {
    const test::TemporaryDirectory directory;
    const HttpTls good = make_certificate(directory.path(), "good");
    const HttpTls other = make_certificate(directory.path(), "other");
    const std::string locked = directory.file("locked.key");
    {
        const std::shared_ptr<EVP_PKEY> key(EVP_EC_gen("P-256"), EVP_PKEY_free);
        const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(
            std::fopen(locked.c_str(), "w"), std::fclose
        );
        unsigned char passphrase[] = "secret";
        REQUIRE(
            PEM_write_PrivateKey(
                file.get(), key.get(), EVP_aes_128_cbc(), passphrase, 6, nullptr, nullptr
            ) == 1
        );
    }
    const std::vector<std::pair<HttpTls, std::string>> cases{
        {{directory.file("none"), good.key_file}, directory.file("none")},
        {{good.certificate_file, directory.file("none")}, directory.file("none")},
        {{directory.path(), good.key_file}, directory.path()},
        {{good.key_file, good.key_file}, good.key_file},
        {{good.certificate_file, good.certificate_file}, good.certificate_file},
        {{good.certificate_file, other.key_file}, other.key_file},
        {{good.certificate_file, locked}, locked},
    };
    for (const auto& [files, culprit] : cases) {
        auto options = options_for(echo);
        options.tls = files;
        const auto server = HttpServer::start(std::move(options));
        CAPTURE(culprit);
        REQUIRE_FALSE(server.ok());
        CHECK(server.error().what.find(culprit + " cannot be used: ") != std::string::npos);
        CHECK_FALSE(server.error().remedy.empty());
    }
}

TEST_CASE("a key that others may use is served, with a warning that does not show it", "[base]") {
    const test::TemporaryDirectory directory;
    const HttpTls files = make_certificate(directory.path(), "open");
    const std::string key = read_file(files.key_file, 1 << 20).value();
    const auto load = [&] { CHECK(TlsCertificate::load(files).ok()); };
    CHECK(stderr_of(directory, load).empty());
    REQUIRE(::chmod(files.key_file.c_str(), 0640) == 0);
    const std::string text = stderr_of(directory, load);
    CHECK(text.find("http.tls_key_exposed") != std::string::npos);
    CHECK(text.find(files.key_file) != std::string::npos);
    CHECK(text.find(key.substr(40, 40)) == std::string::npos);
}

TEST_CASE("a server without TLS has nothing to reload", "[base]") {
    CHECK(serve(echo)->reload_tls().ok());
}

} // namespace interlock::base
