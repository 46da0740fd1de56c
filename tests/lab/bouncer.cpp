#include "tests/lab/bouncer.hpp"

#include "base/file.hpp"
#include "tests/lab/lab.hpp"
#include "tests/lab/owner.hpp"
#include "tests/lab/session.hpp"
#include "tests/lab/take.hpp"

#include <stdexcept>

namespace interlock::lab {
namespace {

constexpr const char* port = "6432"; // names the socket and nothing else: nothing listens on TCP

} // namespace

Bouncer::Bouncer(const cli::Cluster& cluster, const std::string& mode, int size)
    : directory_{take(base::make_temporary_directory("interlock-bouncer"))} {
    const auto users = directory_ + "/users";
    const auto settings = directory_ + "/settings.ini";
    (void)base::write_file_atomically(users, "\"postgres\" \"\"\n\"interlock_diag\" \"\"\n", 0644);
    (void)base::write_file_atomically(
        settings,
        "[databases]\n* = host=" + cluster.directory() + " port=" + std::to_string(cluster.port()) +
            "\n[pgbouncer]\nlisten_port = " + port + "\nunix_socket_dir = " + directory_ +
            "\nauth_type = trust\nauth_file = " + users + "\npool_mode = " + mode +
            "\ndefault_pool_size = " + std::to_string(size) + "\n",
        0644
    );
    give_to(cluster.user(), directory_);
    base::Command command;
    command.arguments = {"/usr/sbin/pgbouncer", settings};
    command.user = cluster.user();
    command.stdout_path = directory_ + "/out";
    command.stderr_path = directory_ + "/log";
    program_.emplace(take(base::Child::start(command)));
    const bool ready = wait_until([this] {
        try {
            Session session{conninfo("postgres", "postgres")};
            return true;
        } catch (const std::exception&) {
            return false;
        }
    });
    if (!ready) {
        throw std::runtime_error("pgbouncer does not answer");
    }
}

Bouncer::~Bouncer() {
    program_.reset();
    (void)base::remove_recursively(directory_);
}

std::string Bouncer::conninfo(const std::string& user, const std::string& database) const {
    return "host=" + directory_ + " port=" + port + " user=" + user + " dbname=" + database;
}

} // namespace interlock::lab
