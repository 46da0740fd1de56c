#include "tests/lab/majors.hpp"

#include "base/file.hpp"
#include "cli/demo/cluster.hpp"
#include "tests/lab/take.hpp"

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <stdexcept>

namespace interlock::lab {
namespace {

namespace fs = std::filesystem;

/// Lets everybody read a tree, and run what its owner may run.
void open_to_all(const fs::path& root) {
    constexpr auto read = fs::perms::group_read | fs::perms::others_read;
    constexpr auto enter = fs::perms::group_exec | fs::perms::others_exec;
    const auto open = [&](const fs::path& path, const fs::file_status& status) {
        const bool runs = fs::is_directory(status) ||
                          (status.permissions() & fs::perms::owner_exec) != fs::perms::none;
        fs::permissions(path, runs ? read | enter : read, fs::perm_options::add);
    };
    open(root, fs::status(root));
    for (const auto& entry : fs::recursive_directory_iterator{root}) {
        if (!entry.is_symlink()) {
            open(entry.path(), entry.status());
        }
    }
}

/// A copy of a package's programs, removed at the end of the run.
class Copy {
public:
    explicit Copy(const fs::path& from)
        : directory_{take(base::make_temporary_directory("interlock-postgres"))} {
        fs::copy(from, directory_, fs::copy_options::recursive | fs::copy_options::copy_symlinks);
        open_to_all(directory_);
    }
    Copy(const Copy&) = delete;
    Copy& operator=(const Copy&) = delete;
    ~Copy() { (void)base::remove_recursively(directory_); }

    std::string programs() const { return directory_ + "/bin"; }

private:
    std::string directory_;
};

} // namespace

const std::vector<int>& majors() {
    static const std::vector<int> all{14, system_major, 16, 17, 18};
    return all;
}

std::string programs_of(int major) {
    static std::map<int, std::unique_ptr<Copy>> copies;
    if (major == system_major) {
        return take(cli::find_postgres_programs());
    }
    const auto& all = majors();
    if (std::find(all.begin(), all.end(), major) == all.end()) {
        throw std::runtime_error("No test runs on PostgreSQL " + std::to_string(major) + ".");
    }
    const auto package =
        fs::path{INTERLOCK_LAB_MODULES} / ("postgres" + std::to_string(major)) / "native";
    if (!fs::exists(package)) {
        throw std::runtime_error(
            "PostgreSQL " + std::to_string(major) + " is missing: npm ci --prefix tests/lab"
        );
    }
    if (take(cli::cluster_user()).empty()) {
        return (package / "bin").string(); // our own files, run by us
    }
    auto& copy = copies[major];
    if (!copy) {
        copy = std::make_unique<Copy>(package);
    }
    return copy->programs();
}

} // namespace interlock::lab
