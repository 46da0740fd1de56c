#include "tests/lab/certificates.hpp"

#include "base/file.hpp"
#include "base/process.hpp"
#include "cli/demo/cluster.hpp"

#include <pwd.h>
#include <stdexcept>
#include <unistd.h>

namespace interlock::lab {
namespace {

template <class T>
T take(base::Result<T> result) {
    if (!result) {
        throw std::runtime_error(base::to_text(result.error()));
    }
    return std::move(result).value();
}

void give_to_cluster_user(const std::string& path) {
    const auto user = take(cli::cluster_user());
    if (user.empty()) {
        return;
    }
    const auto* account = ::getpwnam(user.c_str());
    if (account == nullptr || ::chown(path.c_str(), account->pw_uid, account->pw_gid) != 0) {
        throw std::runtime_error("cannot give " + path + " to " + user);
    }
}

} // namespace

Authority::Authority(const std::string& name)
    : directory_{take(base::make_temporary_directory("interlock-certificates"))},
      own_{make(name, /*signs_itself=*/true)} {
    give_to_cluster_user(directory_);
}

Authority::~Authority() {
    (void)base::remove_recursively(directory_);
}

KeyPair Authority::sign(const std::string& name) const {
    return make(name, /*signs_itself=*/false);
}

KeyPair Authority::make(const std::string& name, bool signs_itself) const {
    const KeyPair made{directory_ + "/" + name + ".crt", directory_ + "/" + name + ".key"};
    base::Command command;
    command.arguments = {
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=" + name,
        "-keyout",
        made.key,
        "-out",
        made.certificate};
    if (!signs_itself) {
        for (const auto& argument :
             {std::string{"-CA"},
              own_.certificate,
              std::string{"-CAkey"},
              own_.key,
              std::string{"-addext"},
              "subjectAltName=DNS:" + name,
              std::string{"-addext"},
              std::string{"basicConstraints=critical,CA:FALSE"}}) {
            command.arguments.push_back(argument);
        }
    }
    const auto ran = take(base::run(command));
    if (ran.exit_code != 0) {
        throw std::runtime_error("openssl failed: " + ran.err);
    }
    give_to_cluster_user(made.key);
    return made;
}

} // namespace interlock::lab
