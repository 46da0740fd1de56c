#include "base/db/store_place.hpp"

#include "base/db/conninfo_rules.hpp"
#include "base/db/store_path.hpp"
#include "base/decode.hpp"
#include "base/file.hpp"
#include "base/limits.hpp"
#include "base/yaml.hpp"

#include <cerrno>
#include <sys/stat.h>

#include <nlohmann/json.hpp>

namespace interlock::db {
namespace {

using base::Errc;
using base::Error;

/// What cannot be looked at is there: its reading then says why not.
bool is_there(const std::string& path) {
    struct stat info {};
    return ::stat(path.c_str(), &info) == 0 || errno != ENOENT;
}

base::Result<TargetAddress> read_address(const std::string& path, const std::string& directory) {
    INTERLOCK_TRY(const auto text, base::read_file(path, base::limits::yaml_bytes_max));
    INTERLOCK_TRY(const auto document, base::parse_yaml(text));
    base::Decoder root(document, "");
    TargetAddress address;
    address.conninfo = root.text("conninfo");
    read_password_source(root, address);
    if (const auto kept = check_conninfo(address); !kept && !address.conninfo.empty()) {
        root.fail("conninfo", kept.error().what + "; " + kept.error().remedy);
    }
    INTERLOCK_CHECK(root.finish());
    if (!address.password_file.empty() && address.password_file.front() != '/') {
        address.password_file = directory + "/" + address.password_file;
    }
    return address;
}

} // namespace

std::string StorePlace::describe() const {
    return shared ? "postgresql" + db::describe(*shared) : file;
}

base::Result<StorePlace> find_store(const base::StateDirectory& state) {
    if (auto kept_out = kept_out_of(state.store())) {
        return std::move(*kept_out);
    }
    if (!is_there(state.store())) {
        return StorePlace{state.queue()};
    }
    if (is_there(state.queue())) {
        return Error{
            Errc::invalid_input,
            "The state directory " + state.root + " holds queue.db, and store.yaml names another.",
            "Keep one of them. What stands in queue.db is not moved to PostgreSQL: to begin anew "
            "there, take away queue.db, its -wal and -shm, and checkpoints/, which tell of its "
            "audit log."};
    }
    auto address = read_address(state.store(), state.root);
    if (!address) {
        auto error = std::move(address).error();
        error.what = state.store() + ": " + error.what;
        return error;
    }
    StorePlace place{state.store()};
    place.shared = std::move(*address);
    return place;
}

base::Result<StorePlace> find_store(const base::StateDirectory& state, const std::string& file) {
    return file == state.queue() ? find_store(state) : StorePlace{file};
}

std::optional<std::string> not_a_store_file(std::string_view text) {
    if (text.find("://") == std::string_view::npos && text.find('=') == std::string_view::npos) {
        return std::nullopt;
    }
    return "this is the path of an SQLite file; a store in PostgreSQL is named in store.yaml of "
           "the state directory";
}

base::Result<std::unique_ptr<Store>>
open_store(const StorePlace& place, StoreMode mode, base::Clock& clock) {
    return place.shared ? open_postgres_store(*place.shared, StorePart::queue, mode)
                        : open_sqlite_store(place.file, mode, clock);
}

base::Result<std::unique_ptr<Store>>
open_store(const base::StateDirectory& state, StoreMode mode, base::Clock& clock) {
    INTERLOCK_TRY(const auto place, find_store(state));
    return open_store(place, mode, clock);
}

} // namespace interlock::db
