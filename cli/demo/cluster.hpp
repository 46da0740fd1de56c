// A throw-away PostgreSQL, made in about two seconds and removed with everything in it: what the
// demonstration shows and what live tests run against. Durability is off; never keep data in one.
#pragma once

#include "base/process.hpp"
#include "base/result.hpp"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace interlock::cli {

struct ClusterOptions {
    std::string directory; // absolute; "" = a new one below the temporary directory
    std::string programs;  // directory of initdb and postgres; "" = find_postgres_programs()
    std::vector<std::pair<std::string, std::string>> settings; // of postgresql.conf
    bool tcp = false;           // also listen on 127.0.0.1, with a random password
    bool existing_data = false; // <directory>/data is there already, as of a base backup
};

/// Where PostgreSQL's server programs are: pg_config, the usual directories (newest first), PATH.
base::Result<std::string> find_postgres_programs();

/// PostgreSQL refuses to run as root: the user it runs as instead. "" when we are not root.
base::Result<std::string> cluster_user();

/// One server. Local connections are trusted and the socket is in a directory of mode 0700, so only
/// its owner and root get in; TCP connections need the password. The superuser is `postgres`. The
/// destructor stops the server and removes its directory.
class Cluster {
public:
    static base::Result<std::unique_ptr<Cluster>> start(const ClusterOptions& options);
    Cluster(const Cluster&) = delete;
    Cluster& operator=(const Cluster&) = delete;
    ~Cluster();

    /// libpq connection string over the socket.
    std::string conninfo(const std::string& user, const std::string& database) const;
    /// The same over TCP, without a password. Only with ClusterOptions::tcp.
    std::string tcp_conninfo(const std::string& user, const std::string& database) const;
    const std::string& password() const { return password_; } // of the superuser
    int port() const { return port_; }
    int pid() const { return server_ ? server_->pid() : -1; }
    bool running();

    /// The full path of a PostgreSQL program beside the server: psql, pgbench, ...
    std::string program(const std::string& name) const { return programs_ + "/" + name; }
    const std::string& user() const { return user_; } // of the operating system; "" = ours
    const std::string& directory() const { return directory_; }
    std::string data_directory() const { return directory_ + "/data"; }
    std::string log_path() const { return directory_ + "/log"; }

    /// Fast shutdown: sessions are ended, the data is left clean.
    void stop();
    /// Immediate shutdown, as in a crash: the next start recovers from WAL.
    void crash();
    /// Starts the server again after stop() or crash().
    base::Status start_again();

private:
    Cluster() = default;
    base::Status make_directory(const ClusterOptions& options);
    base::Status choose_port(bool tcp);
    base::Status initialise();
    base::Status configure(const ClusterOptions& options);
    base::Status launch();
    base::Status write_file(const std::string& path, const std::string& content) const;
    void end(int signal);

    std::string programs_;
    std::string user_;
    std::string directory_;
    std::string password_;
    int port_ = 5432;
    std::optional<base::Child> server_;
};

} // namespace interlock::cli
