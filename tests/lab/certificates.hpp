// Certificates for a test's own servers and clients, made by the openssl program.
#pragma once

#include <string>

namespace interlock::lab {

struct KeyPair {
    std::string certificate; // paths
    std::string key;
};

/// An authority with a directory of its own, removed at the end of the scope. The keys that it
/// makes belong to the operating-system user of clusters, and others cannot read them.
class Authority {
public:
    explicit Authority(const std::string& name);
    Authority(const Authority&) = delete;
    Authority& operator=(const Authority&) = delete;
    ~Authority();

    const std::string& certificate() const { return own_.certificate; }
    /// For a host of that name, or a client's user.
    KeyPair sign(const std::string& name) const;

private:
    KeyPair make(const std::string& name, bool signs_itself) const;

    std::string directory_;
    KeyPair own_;
};

} // namespace interlock::lab
