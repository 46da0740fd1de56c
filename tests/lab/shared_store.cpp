#include "tests/lab/shared_store.hpp"

#include <stdexcept>

namespace interlock::lab {

cli::Cluster& durable() {
    static const auto cluster = [] {
        cli::ClusterOptions options;
        options.settings = {{"fsync", "on"}};
        auto started = cli::Cluster::start(options);
        if (!started) {
            throw std::runtime_error(base::to_text(started.error()));
        }
        return std::move(*started);
    }();
    return *cluster;
}

std::unique_ptr<db::Store> SharedStore::open(db::StoreMode mode, db::StorePart part) const {
    auto store = db::open_postgres_store(database.address(), part, mode);
    if (!store) {
        throw std::runtime_error(base::to_text(store.error()));
    }
    return std::move(*store);
}

} // namespace interlock::lab
