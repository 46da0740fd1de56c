#include "base/db/pq_session.hpp"
#include "base/limits.hpp"
#include "tests/lab/lab.hpp"
#include "tests/support/fakes.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>

namespace interlock::db {
namespace {

using base::Errc;
namespace limits = base::limits;

base::Error failure(const std::string& conninfo, const std::string& password_file = "") {
    base::SystemClock clock;
    auto connection = connect({"shop", conninfo, password_file}, "interlock", clock);
    REQUIRE_FALSE(connection.ok());
    return connection.error();
}

/// Accepts connections and never says a word: a server behind a broken network.
class SilentServer {
public:
    SilentServer() : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        auto* generic = reinterpret_cast<sockaddr*>(&address);
        REQUIRE(::bind(socket_, generic, size) == 0);
        REQUIRE(::listen(socket_, 8) == 0);
        REQUIRE(::getsockname(socket_, generic, &size) == 0);
        port_ = ntohs(address.sin_port);
    }
    SilentServer(const SilentServer&) = delete;
    SilentServer& operator=(const SilentServer&) = delete;
    ~SilentServer() { ::close(socket_); }
    std::string port() const { return std::to_string(port_); }

private:
    int socket_;
    int port_ = 0;
};

TEST_CASE("an unreachable target says which, why and what to do", "[db]") {
    for (const auto* conninfo :
         {"host=127.0.0.1 port=1 dbname=d",
          "host=/nonexistent dbname=d",
          "host=no-such-host.invalid dbname=d"}) {
        const auto error = failure(conninfo);
        CAPTURE(error.what);
        CHECK(error.code == Errc::target_unreachable);
        CHECK(error.what.find("shop (host=") != std::string::npos);
        CHECK_FALSE(error.remedy.empty());
        CHECK(error.what.find('\n') == std::string::npos);
    }
}

TEST_CASE("a server that accepts and stays silent is given up in time", "[db]") {
    const SilentServer server;
    base::SystemClock clock;
    const auto began = clock.ticks();
    const auto error = failure("host=127.0.0.1 port=" + server.port() + " password=secret");
    CHECK(error.code == Errc::target_unreachable);
    CHECK(clock.ticks() - began < limits::connect_timeout + std::chrono::seconds{2});
    CHECK(base::to_text(error).find("secret") == std::string::npos);
}

TEST_CASE("refused credentials are told apart, and no secret is shown", "[db][live]") {
    cli::ClusterOptions options;
    options.tcp = true;
    const auto cluster = cli::Cluster::start(options);
    REQUIRE(cluster.ok());
    const auto conninfo = (*cluster)->tcp_conninfo("postgres", "postgres");
    test::TemporaryDirectory directory;
    const auto file = directory.file("password");

    for (const auto& wrong :
         {failure(conninfo),
          failure(conninfo + " password=wrong-secret"),
          failure((*cluster)->conninfo("nobody_here", "postgres"))}) {
        CHECK(wrong.code == Errc::permission_denied);
        CHECK(base::to_text(wrong).find("wrong-secret") == std::string::npos);
        CHECK_FALSE(wrong.remedy.empty());
    }
    CHECK(failure((*cluster)->conninfo("postgres", "nowhere")).code == Errc::target_unreachable);

    REQUIRE(base::write_file_atomically(file, (*cluster)->password() + "\n").ok());
    base::SystemClock clock;
    CHECK(connect({"shop", conninfo, file}, "interlock", clock).ok());

    REQUIRE(base::write_file_atomically(file, "wrong-secret\n").ok());
    const auto refused = failure(conninfo, file);
    CHECK(refused.code == Errc::permission_denied);
    CHECK(base::to_text(refused).find("wrong-secret") == std::string::npos);
}

TEST_CASE("a password file that others can read is refused", "[db]") {
    test::TemporaryDirectory directory;
    const auto file = directory.file("password");
    REQUIRE(base::write_file_atomically(file, "secret\n").ok());
    for (const auto mode : {0640U, 0604U, 0660U, 0601U}) {
        ::chmod(file.c_str(), mode);
        const auto error = failure("host=127.0.0.1 port=1", file);
        CHECK(error.code == Errc::permission_denied);
        CHECK(error.what.find("others") != std::string::npos);
        CHECK(error.remedy.find("chmod 600") != std::string::npos);
    }
    ::chmod(file.c_str(), 0400);
    CHECK(failure("host=127.0.0.1 port=1", file).code == Errc::target_unreachable);
}

TEST_CASE("a password file that is absent, empty, huge or no file is refused", "[db]") {
    test::TemporaryDirectory directory;
    const auto file = directory.file("password");
    CHECK(failure("host=x", file).code == Errc::permission_denied);
    CHECK(failure("host=x", directory.path()).code == Errc::permission_denied);
    REQUIRE(base::write_file_atomically(file, "").ok());
    CHECK(failure("host=x", file).code == Errc::permission_denied);
    REQUIRE(base::write_file_atomically(file, std::string(10'000, 'x')).ok());
    CHECK(failure("host=x", file).code == Errc::permission_denied);
    ::unlink(file.c_str());
    REQUIRE(::mkfifo(file.c_str(), 0600) == 0);
    CHECK(failure("host=x", file).code == Errc::permission_denied);
}

TEST_CASE("a NUL in a statement or a value is refused", "[db]") {
    CHECK(refuse_nul({"s", "select $1"}, {"a", std::nullopt}).ok());
    CHECK_FALSE(refuse_nul({"s", std::string_view("a\0b", 3)}, {}).ok());
    CHECK_FALSE(refuse_nul({"s", "select $1"}, {std::string("a\0b", 3)}).ok());
}

} // namespace
} // namespace interlock::db
