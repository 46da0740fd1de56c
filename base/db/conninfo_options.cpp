#include "base/db/conninfo_options.hpp"

#include <algorithm>
#include <memory>

#include <libpq-fe.h>

namespace interlock::db {
namespace {

using Listed = std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)>;

std::vector<std::pair<std::string, std::string>> said_in(const Listed& list) {
    std::vector<std::pair<std::string, std::string>> said;
    for (auto* item = list.get(); item != nullptr && item->keyword != nullptr; ++item) {
        if (item->val != nullptr) {
            said.emplace_back(item->keyword, item->val);
        }
    }
    return said;
}

} // namespace

std::optional<ConninfoOptions> ConninfoOptions::parse(const std::string& conninfo) {
    const Listed list{PQconninfoParse(conninfo.c_str(), nullptr), &PQconninfoFree};
    if (!list) {
        return std::nullopt;
    }
    ConninfoOptions options;
    options.said_ = said_in(list);
    return options;
}

ConninfoOptions ConninfoOptions::defaults() {
    ConninfoOptions options;
    options.said_ = said_in({PQconndefaults(), &PQconninfoFree});
    return options;
}

ConninfoOptions ConninfoOptions::of(pg_conn* connection) {
    ConninfoOptions options;
    options.said_ = said_in({PQconninfo(connection), &PQconninfoFree});
    return options;
}

std::optional<std::string> ConninfoOptions::find(std::string_view keyword) const {
    const auto found = std::find_if(said_.begin(), said_.end(), [&](const auto& pair) {
        return pair.first == keyword;
    });
    return found == said_.end() ? std::nullopt : std::optional{found->second};
}

} // namespace interlock::db
