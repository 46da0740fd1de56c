#include "tests/lab/certificates.hpp"

#include "base/file.hpp"
#include "base/process.hpp"
#include "cli/demo/cluster.hpp"
#include "tests/lab/owner.hpp"
#include "tests/lab/take.hpp"

#include <stdexcept>

namespace interlock::lab {
Authority::Authority(const std::string& name)
    : directory_{take(base::make_temporary_directory("interlock-certificates"))},
      own_{make(name, /*signs_itself=*/true)} {
    give_to(take(cli::cluster_user()), directory_);
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
    give_to(take(cli::cluster_user()), made.key);
    return made;
}

} // namespace interlock::lab
