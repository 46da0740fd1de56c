#include "base/db/connect.hpp"
#include "base/limits.hpp"
#include "tests/lab/certificates.hpp"
#include "tests/lab/lab.hpp"
#include "tests/lab/take.hpp"
#include "tests/lab/topology.hpp"
#include "tests/support/fakes.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>

namespace interlock::db {
namespace {

using base::Errc;
using Catch::Contains;
namespace limits = base::limits;

base::Error failure(const std::string& conninfo, const std::string& password_file = "") {
    base::SystemClock clock;
    auto connection = connect({"shop", conninfo, password_file}, "interlock", {}, clock);
    REQUIRE_FALSE(connection.ok());
    return connection.error();
}

/// A server on loopback that wants its password.
std::unique_ptr<cli::Cluster>
cluster_on_tcp(std::vector<std::pair<std::string, std::string>> settings = {}) {
    cli::ClusterOptions options;
    options.tcp = true;
    options.settings = std::move(settings);
    return lab::take(cli::Cluster::start(options));
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

TEST_CASE("a silent server leaves the others of its target their time", "[db][live]") {
    const SilentServer silent;
    const auto& cluster = lab::primary();
    const auto conninfo = [&](const std::string& hosts, const std::string& ports) {
        return "host=" + hosts + " port=" + ports + " user=postgres dbname=postgres";
    };
    const auto real = std::to_string(cluster.port());
    base::SystemClock clock;
    const auto connection = connect(
        {"shop", conninfo("127.0.0.1," + cluster.directory(), silent.port() + "," + real), {}},
        "interlock",
        {},
        clock
    );
    REQUIRE(connection.ok());
    CHECK(connection->server == cluster.directory() + ":" + real);

    // When none answers, what each said is told.
    const auto error =
        failure(conninfo("127.0.0.1,/nonexistent", silent.port() + "," + silent.port()));
    CHECK(error.code == Errc::target_unreachable);
    CHECK_THAT(error.what, Contains("shop at 127.0.0.1:" + silent.port() + " did not answer"));
    CHECK_THAT(
        error.what, Contains("shop at /nonexistent:" + silent.port() + " cannot be reached")
    );
}

TEST_CASE("refused credentials are told apart, and no secret is shown", "[db][live]") {
    const auto cluster = cluster_on_tcp();
    const auto conninfo = cluster->tcp_conninfo("postgres", "postgres");
    test::TemporaryDirectory directory;
    const auto file = directory.file("password");

    for (const auto& wrong :
         {failure(conninfo),
          failure(conninfo + " password=wrong-secret"),
          failure(cluster->conninfo("nobody_here", "postgres"))}) {
        CHECK(wrong.code == Errc::permission_denied);
        CHECK(base::to_text(wrong).find("wrong-secret") == std::string::npos);
        CHECK_FALSE(wrong.remedy.empty());
    }
    CHECK(failure(cluster->conninfo("postgres", "nowhere")).code == Errc::target_unreachable);

    REQUIRE(base::write_file_atomically(file, cluster->password() + "\n").ok());
    base::SystemClock clock;
    CHECK(connect({"shop", conninfo, file}, "interlock", {}, clock).ok());

    REQUIRE(base::write_file_atomically(file, "wrong-secret\n").ok());
    const auto refused = failure(conninfo, file);
    CHECK(refused.code == Errc::permission_denied);
    CHECK(base::to_text(refused).find("wrong-secret") == std::string::npos);
}

TEST_CASE("a password may come from a file, a variable or a command", "[db][live]") {
    const auto cluster = cluster_on_tcp();
    base::SystemClock clock;
    test::TemporaryDirectory directory;
    const auto secret = directory.file("secret");
    REQUIRE(base::write_file_atomically(secret, cluster->password() + "\n").ok());
    TargetAddress address{"shop", cluster->tcp_conninfo("postgres", "postgres"), {}};
    address.password_command = {"cat", secret};
    CHECK(connect(address, "interlock", {}, clock).ok());

    address.password_command.clear();
    address.password_variable = "INTERLOCK_TEST_PASSWORD";
    ::setenv("INTERLOCK_TEST_PASSWORD", cluster->password().c_str(), 1);
    CHECK(connect(address, "interlock", {}, clock).ok());
    ::unsetenv("INTERLOCK_TEST_PASSWORD");

    // libpq's own passfile and service file.
    address.password_variable.clear();
    const auto passfile = directory.file("pgpass");
    const auto line = "127.0.0.1:*:*:postgres:" + cluster->password() + "\n";
    REQUIRE(base::write_file_atomically(passfile, line).ok());
    address.conninfo += " passfile=" + passfile;
    CHECK(connect(address, "interlock", {}, clock).ok());

    const auto services = directory.file("services");
    const auto service = "[shop]\nhost=127.0.0.1\nport=" + std::to_string(cluster->port()) +
                         "\nuser=postgres\ndbname=postgres\npassword=" + cluster->password();
    REQUIRE(base::write_file_atomically(services, service + "\n").ok());
    ::setenv("PGSERVICEFILE", services.c_str(), 1);
    CHECK(connect({"shop", "service=shop", {}}, "interlock", {}, clock).ok());
    ::unsetenv("PGSERVICEFILE");
}

TEST_CASE("a password that was just changed is read again", "[db][live]") {
    const auto cluster = cluster_on_tcp();
    base::SystemClock clock;
    test::TemporaryDirectory directory;
    // The first answer is the old password, the second the new one.
    const auto used = directory.file("used");
    TargetAddress address{"shop", cluster->tcp_conninfo("postgres", "postgres"), {}};
    const auto script = "if [ -e " + used + " ]; then echo " + cluster->password() +
                        "; else touch " + used + "; echo old; fi";
    address.password_command = {"sh", "-c", script};
    CHECK(connect(address, "interlock", {}, clock).ok());

    // The same wrong one twice is not tried twice.
    address.password_command = {"sh", "-c", "echo run >> " + used + "; echo wrong-secret"};
    const auto refused = connect(address, "interlock", {}, clock);
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().code == Errc::permission_denied);
    CHECK(base::to_text(refused.error()).find("wrong-secret") == std::string::npos);
    CHECK(base::read_file(used, 100).value() == "run\nrun\n");
}

/// A server with a certificate for db.interlock.test, signed by `authority`.
struct SecureServer {
    explicit SecureServer(const lab::Authority& authority) {
        const auto pair = authority.sign("db.interlock.test");
        cluster = cluster_on_tcp(
            {{"ssl", "on"},
             {"ssl_cert_file", pair.certificate},
             {"ssl_key_file", pair.key},
             {"ssl_ca_file", authority.certificate()}}
        );
        REQUIRE(base::write_file_atomically(password, cluster->password() + "\n").ok());
    }
    /// As if the name led here.
    TargetAddress at(const std::string& host, const std::string& more) const {
        return {
            "shop",
            "host=" + host + " hostaddr=127.0.0.1 port=" + std::to_string(cluster->port()) +
                " user=postgres dbname=postgres " + more,
            password};
    }

    test::TemporaryDirectory directory;
    std::string password = directory.file("password");
    std::unique_ptr<cli::Cluster> cluster;
};

TEST_CASE("a host elsewhere must prove who it is unless the target says otherwise", "[db][live]") {
    const lab::Authority authority{"authority"};
    const lab::Authority stranger{"stranger"};
    const SecureServer server{authority};
    base::SystemClock clock;
    const auto ours = "sslrootcert=" + authority.certificate();
    const auto open = [&](const std::string& host, const std::string& more) {
        return connect(server.at(host, more), "interlock", {}, clock);
    };
    const auto refused = [&](const std::string& host, const std::string& more) {
        auto connection = open(host, more);
        REQUIRE_FALSE(connection.ok());
        CHECK(connection.error().code == Errc::target_unreachable);
        CHECK_THAT(connection.error().what, Contains("is not trusted"));
        return connection.error();
    };

    const auto verified = open("db.interlock.test", ours); // sslmode is left open
    REQUIRE(verified.ok());
    CHECK(verified->verified);
    CHECK_THAT(verified->transport, Contains("TLSv1") && Contains("sslmode=verify-full"));

    const auto no_root = refused("db.interlock.test", "sslrootcert=/nonexistent/root.crt");
    CHECK_THAT(no_root.remedy, Contains("sslrootcert"));
    const auto other_root = refused("db.interlock.test", "sslrootcert=" + stranger.certificate());
    CHECK_THAT(other_root.what, Contains("certificate verify failed"));
    CHECK_THAT(other_root.remedy, Contains("Another authority"));
    const auto other_name = refused("other.interlock.test", ours);
    CHECK_THAT(other_name.what, Contains("does not match host name"));
    CHECK_THAT(other_name.remedy, Contains("as the server's certificate names it"));

    const auto encrypted = open("other.interlock.test", "sslmode=require");
    REQUIRE(encrypted.ok());
    CHECK_FALSE(encrypted->verified);
    CHECK(open("other.interlock.test", "sslmode=verify-ca " + ours).ok());
    const auto plain = open("db.interlock.test", "sslmode=disable");
    REQUIRE(plain.ok());
    CHECK_FALSE(plain->verified);
    CHECK_THAT(plain->transport, Contains("not encrypted"));

    // What is on this machine is left as libpq has it.
    const auto local = open("localhost", "");
    REQUIRE(local.ok());
    CHECK_THAT(local->transport, Contains("sslmode=prefer"));
}

TEST_CASE("a service names a host elsewhere and is verified too", "[db][live]") {
    const lab::Authority authority{"authority"};
    const SecureServer server{authority};
    base::SystemClock clock;
    const auto services = server.directory.file("services");
    const auto address = server.at("other.interlock.test", "");
    std::string service = "[shop]\n" + address.conninfo + "sslrootcert=" + authority.certificate();
    std::replace(service.begin(), service.end(), ' ', '\n');
    REQUIRE(base::write_file_atomically(services, service + "\n").ok());
    ::setenv("PGSERVICEFILE", services.c_str(), 1);
    const auto refused = connect({"shop", "service=shop", server.password}, "i", {}, clock);
    const auto told =
        connect({"shop", "service=shop sslmode=require", server.password}, "i", {}, clock);
    ::unsetenv("PGSERVICEFILE");
    REQUIRE_FALSE(refused.ok());
    CHECK_THAT(refused.error().what, Contains("does not match host name"));
    CHECK(told.ok());
}

TEST_CASE("a server without TLS is not talked to in the open by default", "[db][live]") {
    const auto cluster = cluster_on_tcp();
    const lab::Authority authority{"authority"};
    const auto error = failure(
        "host=db.interlock.test hostaddr=127.0.0.1 port=" + std::to_string(cluster->port()) +
        " user=postgres dbname=postgres sslrootcert=" + authority.certificate()
    );
    CHECK_THAT(error.what, Contains("server does not support SSL"));
    CHECK_THAT(error.remedy, Contains("ssl = on") && Contains("sslmode=disable"));
}

TEST_CASE("a client certificate logs in, and a missing one is told", "[db][live]") {
    const lab::Authority authority{"authority"};
    const lab::Authority stranger{"stranger"};
    const SecureServer server{authority};
    base::SystemClock clock;
    REQUIRE(base::write_file_atomically(
                server.cluster->data_directory() + "/pg_hba.conf",
                "local all all trust\nhostssl all all 127.0.0.1/32 cert\n",
                0644
    )
                .ok());
    lab::run_sql(*server.cluster, "postgres", "select pg_reload_conf()");
    const auto us = authority.sign("postgres");
    const auto open = [&](const std::string& more) {
        auto address =
            server.at("db.interlock.test", "sslrootcert=" + authority.certificate() + " " + more);
        address.password_file.clear();
        return connect(address, "interlock", {}, clock);
    };
    const auto with = [](const lab::KeyPair& pair) {
        return "sslcert=" + pair.certificate + " sslkey=" + pair.key;
    };
    REQUIRE(lab::wait_until([&] {
        const auto refused = open("");
        return !refused.ok() &&
               refused.error().what.find("client certificate") != std::string::npos;
    }));
    const auto without = open("");
    CHECK(without.error().code == Errc::permission_denied);
    CHECK_THAT(without.error().remedy, Contains("sslcert"));
    CHECK(open(with(us)).ok());

    const auto foreign = open(with(stranger.sign("postgres")));
    REQUIRE_FALSE(foreign.ok());
    CHECK_THAT(base::to_text(foreign.error()), Contains("certificate"));
    REQUIRE(::chmod(us.key.c_str(), 0644) == 0);
    const auto shown = open(with(us));
    REQUIRE_FALSE(shown.ok());
    CHECK_THAT(shown.error().remedy, Contains("0600"));
}

} // namespace
} // namespace interlock::db
