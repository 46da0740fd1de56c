#include "base/db/statements.hpp"

namespace interlock::db {
namespace {

constexpr std::size_t remembered_max = 256;
constexpr std::size_t prepared_max = 64; // each holds a plan in the server's memory

} // namespace

Statements::Known& Statements::operator[](std::string_view text) {
    const auto found = known_.find(text);
    return found != known_.end() ? found->second : known_[std::string{text}];
}

bool Statements::make_room() {
    if (known_.size() < remembered_max) {
        return false;
    }
    known_.clear();
    named_ = 0;
    return true;
}

void Statements::send(Known& known) {
    const bool again = known.seen;
    known.seen = true;
    if (!again || !allowed_ || known.stale || !known.name.empty() || named_ >= prepared_max) {
        return;
    }
    (void)name(known);
}

const std::string& Statements::name(Known& known) {
    if (known.name.empty()) {
        known.name = "interlock_" + std::to_string(++named_);
    }
    return known.name;
}

} // namespace interlock::db
