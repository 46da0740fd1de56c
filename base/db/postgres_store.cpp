#include "base/db/postgres_store.hpp"

#include "base/db/store_body.hpp"
#include "base/db/store_session.hpp"
#include "base/limits.hpp"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

namespace interlock::db {
namespace {

using base::Errc;
using base::Error;
namespace limits = base::limits;
using Access = StoreSession::Access;
using Body = std::function<base::Status(StoreTransaction&)>;

// The locks are numbers that no other program of the database takes by chance.
constexpr StoreSchema queue_schema{"interlock", 7'597'137'600'480'833'379};
constexpr StoreSchema evidence_schema{"interlock_evidence", 7'597'137'600'480'376'421};

class PostgresTransaction final : public StoreTransaction {
public:
    explicit PostgresTransaction(StoreSession& session) : session_(session) {}

    /// PostgreSQL takes no statement after one that failed: what comes next fails as that did.
    base::Result<Table> run(std::string_view sql, const std::vector<Cell>& parameters) override {
        if (doom_) {
            return *doom_;
        }
        auto result = session_.run(sql, parameters);
        if (!result) {
            doom_ = result.error();
        } else if (!session_.in_transaction()) {
            doom_ = Error{Errc::internal, "A statement ended the store's transaction.", ""};
            return *doom_;
        }
        return result;
    }
    base::Time now() override { return session_.began(); }
    const std::optional<Error>& doom() const { return doom_; }

private:
    StoreSession& session_;
    std::optional<Error> doom_;
};

/// The right to one of the store's connections, as many as one target gets: writers take turns
/// anyway, and some may read meanwhile. Callers wait for it, but not for ever.
class Places {
public:
    base::Status enter(const std::string& store) {
        std::unique_lock lock{mutex_};
        const auto me = std::this_thread::get_id();
        if (std::find(inside_.begin(), inside_.end(), me) != inside_.end()) {
            return Error{Errc::internal, "A store transaction was begun inside another.", ""};
        }
        const bool free = free_.wait_for(lock, limits::store_busy_wait, [this] {
            return inside_.size() < static_cast<std::size_t>(limits::pool_connections);
        });
        if (!free) {
            return Error{
                Errc::store_busy,
                "All connections of this program to the store " + store + " stayed in use.",
                "Try again."};
        }
        inside_.push_back(me);
        return base::done;
    }
    void leave() {
        {
            const std::lock_guard lock{mutex_};
            std::erase(inside_, std::this_thread::get_id());
        }
        free_.notify_one();
    }

private:
    std::mutex mutex_;
    std::condition_variable free_;
    std::vector<std::thread::id> inside_;
};

class PostgresStore final : public Store {
public:
    PostgresStore(TargetAddress address, const StoreSchema& schema, StoreMode mode)
        : address_(std::move(address)),
          schema_(schema),
          mode_(mode),
          store_("postgresql" + db::describe(address_)) {}

    base::Status open();
    base::Status transact(const Body& body) override {
        if (mode_ == StoreMode::read_only) {
            return Error{
                Errc::store_read_only,
                "The store " + store_ + " was opened for reading only.",
                "Use another command."};
        }
        return in_turn(Access::write, body);
    }
    base::Status read(const Body& body) override { return in_turn(Access::read, body); }
    std::string describe() const override { return store_; }

private:
    using Session = std::unique_ptr<StoreSession>;
    base::Result<Session> connect() const {
        return StoreSession::open(address_, schema_, store_, mode_ != StoreMode::read_only);
    }
    Session take_idle();
    void keep(Session session);
    base::Result<Session> begin(Access access);
    base::Status in_turn(Access access, const Body& body);
    base::Status in_session(Access access, const Body& body);

    const TargetAddress address_;
    const StoreSchema schema_;
    const StoreMode mode_;
    const std::string store_;
    Places places_;
    std::mutex mutex_; // guards what follows
    std::vector<Session> idle_;
};

base::Status PostgresStore::open() {
    INTERLOCK_TRY(auto session, connect());
    if (!session->has_schema()) {
        if (mode_ != StoreMode::create) {
            return Error{
                Errc::not_found,
                "There is no store in " + store_ + " yet.",
                "Start interlock-server on it first, or correct its address."};
        }
        INTERLOCK_CHECK(session->begin(Access::write));
        auto made = session->run("create schema if not exists " + std::string{schema_.name}, {});
        if (!made) {
            auto error = made.error();
            if (error.code == Errc::permission_denied) {
                error.remedy = "Make it as an administrator: create schema " +
                               std::string{schema_.name} + " authorization ROLE.";
            }
            return error;
        }
        INTERLOCK_CHECK(session->commit());
    }
    keep(std::move(session));
    return base::done;
}

PostgresStore::Session PostgresStore::take_idle() {
    const std::lock_guard lock{mutex_};
    if (idle_.empty()) {
        return nullptr;
    }
    auto session = std::move(idle_.back());
    idle_.pop_back();
    return session;
}

void PostgresStore::keep(Session session) {
    if (session->usable()) {
        const std::lock_guard lock{mutex_};
        idle_.push_back(std::move(session));
    }
}

/// On a connection that was kept, which may have been lost since it was used, or on a new one.
/// Nothing of the caller's has run yet, so that another try can repeat nothing.
base::Result<PostgresStore::Session> PostgresStore::begin(Access access) {
    while (auto session = take_idle()) {
        const auto begun = session->begin(access);
        if (begun) {
            return session;
        }
        session->roll_back();
        if (session->usable()) {
            keep(std::move(session));
            return begun.error();
        }
    }
    INTERLOCK_TRY(auto session, connect());
    INTERLOCK_CHECK(session->begin(access));
    return session;
}

base::Status PostgresStore::in_turn(Access access, const Body& body) {
    INTERLOCK_CHECK(places_.enter(store_));
    auto status = in_session(access, body);
    places_.leave();
    return status;
}

base::Status PostgresStore::in_session(Access access, const Body& body) {
    INTERLOCK_TRY(auto session, begin(access));
    PostgresTransaction transaction{*session};
    auto status = call_body(body, transaction);
    if (status && transaction.doom()) {
        status = *transaction.doom();
    }
    if (status && access == Access::write) {
        status = session->commit();
    }
    session->roll_back();
    keep(std::move(session));
    return status;
}

} // namespace

base::Result<std::unique_ptr<Store>>
open_postgres_store(const TargetAddress& address, StorePart part, StoreMode mode) {
    auto unnamed = address;
    unnamed.name.clear(); // errors then speak of the store
    auto store = std::make_unique<PostgresStore>(
        std::move(unnamed), part == StorePart::queue ? queue_schema : evidence_schema, mode
    );
    INTERLOCK_CHECK(store->open());
    return std::unique_ptr<Store>{std::move(store)};
}

} // namespace interlock::db
