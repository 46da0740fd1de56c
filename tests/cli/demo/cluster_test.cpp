#include "base/db/reader_connection.hpp"
#include "cli/demo/cluster.hpp"
#include "tests/support/fakes.hpp"

#include <csignal>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>

namespace interlock::cli {
namespace {

std::unique_ptr<Cluster> start(const ClusterOptions& options = {}) {
    auto cluster = Cluster::start(options);
    if (!cluster) {
        FAIL(base::to_text(cluster.error()));
    }
    return std::move(*cluster);
}

bool answers(const std::string& conninfo, const std::string& password_file = "") {
    return db::ReaderConnection::open({"demo", conninfo, password_file}).ok();
}

bool exists(const std::string& path) {
    return ::access(path.c_str(), F_OK) == 0;
}

TEST_CASE("a cluster answers on its socket and leaves nothing behind", "[cli][live]") {
    std::string directory;
    int pid = 0;
    {
        const auto cluster = start();
        directory = cluster->directory();
        pid = cluster->pid();
        CHECK(cluster->running());
        CHECK(answers(cluster->conninfo("postgres", "postgres")));
        CHECK(exists(cluster->program("psql")));
        struct stat info {};
        REQUIRE(::stat(directory.c_str(), &info) == 0);
        CHECK((info.st_mode & 0777U) == 0700U);
        CHECK(info.st_uid != 0);
    }
    CHECK_FALSE(exists(directory));
    CHECK(::kill(pid, 0) != 0);
}

TEST_CASE("a cluster on TCP wants its password", "[cli][live]") {
    ClusterOptions options;
    options.tcp = true;
    const auto cluster = start(options);
    test::TemporaryDirectory directory;
    const auto file = directory.file("password");
    REQUIRE(base::write_file_atomically(file, cluster->password()).ok());
    const auto conninfo = cluster->tcp_conninfo("postgres", "postgres");
    CHECK_FALSE(answers(conninfo));
    CHECK(answers(conninfo, file));
    CHECK_FALSE(exists(cluster->directory() + "/password"));
}

TEST_CASE("a cluster comes back after a stop and after a crash", "[cli][live]") {
    const auto cluster = start();
    const auto conninfo = cluster->conninfo("postgres", "postgres");
    cluster->stop();
    CHECK_FALSE(cluster->running());
    CHECK_FALSE(answers(conninfo));
    REQUIRE(cluster->start_again().ok());
    CHECK(answers(conninfo));
    cluster->crash();
    CHECK_FALSE(answers(conninfo));
    REQUIRE(cluster->start_again().ok());
    CHECK(answers(conninfo));
}

TEST_CASE("settings reach the server, and a wrong one is told with its log", "[cli][live]") {
    ClusterOptions options;
    options.settings = {{"max_prepared_transactions", "7"}, {"cluster_name", "it's"}};
    const auto cluster = start(options);
    const auto connection =
        db::ReaderConnection::open({"demo", cluster->conninfo("postgres", "postgres"), {}});
    REQUIRE(connection.ok());
    const auto results = (*connection)
                             ->read(
                                 {},
                                 {{{"settings",
                                    "select current_setting('max_prepared_transactions') || "
                                    "current_setting('cluster_name')"},
                                   {}}},
                                 {}
                             );
    REQUIRE(results.ok());
    CHECK((*results)[0]->table.rows[0][0] == "7it's");

    options.settings = {{"no_such_setting", "1"}};
    const auto failed = Cluster::start(options);
    REQUIRE_FALSE(failed.ok());
    CHECK(failed.error().what.find("no_such_setting") != std::string::npos);
}

} // namespace
} // namespace interlock::cli
