// A store that can be taken away.
#pragma once

#include "base/db/store.hpp"

#include <atomic>
#include <functional>
#include <string>

namespace interlock::test {

class FlakyStore final : public db::Store {
public:
    explicit FlakyStore(db::Store& store) : store_(store) {}
    base::Status transact(const std::function<base::Status(db::StoreTransaction&)>& body) override {
        return away_ ? base::Status(gone()) : store_.transact(body);
    }
    base::Status read(const std::function<base::Status(db::StoreTransaction&)>& body) override {
        return away_ ? base::Status(gone()) : store_.read(body);
    }
    std::string describe() const override { return store_.describe(); }
    void away(bool is_away) { away_ = is_away; }

private:
    static base::Error gone() { return {base::Errc::io, "The disk is gone.", "Bring it back."}; }

    db::Store& store_;
    std::atomic<bool> away_{false};
};

} // namespace interlock::test
