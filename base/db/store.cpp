#include "base/db/store.hpp"

#include "base/db/store_body.hpp"
#include "base/db/store_path.hpp"
#include "base/limits.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <fcntl.h>
#include <list>
#include <mutex>
#include <optional>
#include <sqlite3.h>
#include <sys/stat.h>
#include <system_error>
#include <thread>
#include <unistd.h>
#include <utility>

namespace interlock::db {
namespace {

using base::Errc;
using base::Error;
namespace limits = base::limits;

struct CloseDatabase {
    void operator()(sqlite3* database) const { sqlite3_close_v2(database); }
};
struct FinalizeStatement {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using Database = std::unique_ptr<sqlite3, CloseDatabase>;
using Statement = std::unique_ptr<sqlite3_stmt, FinalizeStatement>;

/// Statements prepared before, by their text: the audit log and the queue run the same few again
/// and again. Taken out while it runs, so that a statement is never used twice at once.
class Statements {
public:
    /// nullptr: it has to be prepared.
    Statement take(std::string_view sql) {
        const auto found = find(sql, /*taken=*/false);
        if (found == kept_.end()) {
            return nullptr;
        }
        kept_.splice(kept_.begin(), kept_, found);
        return std::move(found->second);
    }
    void give_back(std::string_view sql, Statement statement) {
        if (sql.size() > text_max) {
            return;
        }
        // Reset ends its read of the database; values may be large and are nobody's business later.
        if (sqlite3_reset(statement.get()) != SQLITE_OK) {
            return;
        }
        sqlite3_clear_bindings(statement.get());
        if (const auto place = find(sql, /*taken=*/true); place != kept_.end()) {
            place->second = std::move(statement);
            return;
        }
        if (kept_.size() >= count_max) {
            kept_.pop_back();
        }
        kept_.emplace_front(std::string(sql), std::move(statement));
    }

private:
    using Kept = std::list<std::pair<std::string, Statement>>;
    Kept::iterator find(std::string_view sql, bool taken) {
        return std::find_if(kept_.begin(), kept_.end(), [&](const auto& entry) {
            return entry.first == sql && (entry.second == nullptr) == taken;
        });
    }

    static constexpr std::size_t count_max = 32;
    static constexpr std::size_t text_max = 4096;
    Kept kept_; // the latest first; null while it is taken out
};

/// Kept statements leave SQLite's small fast memory to those that come and go.
int prepare(
    sqlite3* database, std::string_view sql, Statement& statement, const char** tail = nullptr
) {
    sqlite3_stmt* raw = nullptr;
    const int code = sqlite3_prepare_v3(
        database, sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT, &raw, tail
    );
    statement.reset(raw);
    return code;
}

bool is_out_of_space(int system_error) {
    return system_error == ENOSPC || system_error == EDQUOT;
}
bool is_write_protected(int system_error) {
    return system_error == EROFS || system_error == EACCES || system_error == EPERM;
}

Error read_only_error(const std::string& path) {
    return {
        Errc::store_read_only,
        "The store " + path + " cannot be written.",
        "Give this program write access to the file and to its directory, or use another store."};
}

/// SQLite's answer as an Error. `system_error` tells a full disk from a broken one.
Error store_error(const std::string& path, int code, int system_error, const std::string& message) {
    const auto what = [&](std::string_view happened) {
        return "The store " + path + " " + std::string{happened} + ": " + message + ".";
    };
    const int primary = code & 0xff;
    if (primary == SQLITE_FULL || (primary == SQLITE_IOERR && is_out_of_space(system_error))) {
        return {
            Errc::store_full,
            what("has no space left"),
            "Free disk space; nothing of this change was kept."};
    }
    if (primary == SQLITE_READONLY || ((primary == SQLITE_CANTOPEN || primary == SQLITE_IOERR) &&
                                       is_write_protected(system_error))) {
        return read_only_error(path);
    }
    switch (primary) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return {
            Errc::store_busy,
            what("stayed locked by another program"),
            "Try again; if it lasts, look which program holds it."};
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return {
            Errc::corrupt,
            what("is damaged or not a store"),
            "Stop writing to it and restore it from a backup."};
    case SQLITE_CONSTRAINT:
        return {Errc::conflict, what("refused the change"), ""};
    case SQLITE_CANTOPEN:
    case SQLITE_IOERR:
        return {Errc::io, what("could not be read or written"), "Look at the disk and its mount."};
    case SQLITE_NOMEM:
    case SQLITE_TOOBIG:
        return {Errc::limit_exceeded, what("ran out of memory"), "Ask for less at once."};
    default:
        return {Errc::internal, what("refused a statement"), ""};
    }
}

/// SQLite rolls a transaction back by itself on some errors; these and damaged data must not be
/// swallowed by a body that goes on.
bool dooms_transaction(Errc code) {
    return code != Errc::conflict && code != Errc::internal;
}

class SqliteTransaction final : public StoreTransaction {
public:
    SqliteTransaction(
        sqlite3* database, Statements& statements, const std::string& path, base::Time now
    )
        : database_(database), statements_(statements), path_(path), now_(now) {}

    base::Result<Table> run(std::string_view sql, const std::vector<Cell>& parameters) override;
    base::Time now() override { return now_; }
    std::string_view numbered_key() const override { return "integer primary key"; }
    const std::optional<Error>& doom() const { return doom_; }

private:
    base::Result<Table> run_all(std::string_view sql, const std::vector<Cell>& parameters);
    base::Result<Table> step(sqlite3_stmt* statement);
    base::Status bind(sqlite3_stmt* statement, const std::vector<Cell>& parameters);
    Error last_error() const {
        return store_error(
            path_,
            sqlite3_extended_errcode(database_),
            sqlite3_system_errno(database_),
            sqlite3_errmsg(database_)
        );
    }

    sqlite3* database_;
    Statements& statements_;
    const std::string& path_;
    base::Time now_;
    std::optional<Error> doom_;
};

base::Result<Table>
SqliteTransaction::run(std::string_view sql, const std::vector<Cell>& parameters) {
    if (doom_) {
        return *doom_;
    }
    auto result = run_all(sql, parameters);
    if (!result && dooms_transaction(result.error().code)) {
        doom_ = result.error();
    }
    // The transaction is gone: what came next would be committed statement by statement.
    if (!doom_ && sqlite3_get_autocommit(database_) != 0) {
        doom_ = result.ok()
                    ? Error{Errc::internal, "A statement ended the store's transaction.", ""}
                    : result.error();
        return *doom_;
    }
    return result;
}

base::Result<Table>
SqliteTransaction::run_all(std::string_view sql, const std::vector<Cell>& parameters) {
    if (Statement known = statements_.take(sql)) {
        INTERLOCK_CHECK(bind(known.get(), parameters));
        INTERLOCK_TRY(Table table, step(known.get()));
        statements_.give_back(sql, std::move(known));
        return table;
    }
    const char* at = sql.data();
    const char* end = sql.data() + sql.size();
    Table table;
    bool ran = false;
    while (at != end) {
        Statement statement;
        const char* tail = end;
        const std::string_view rest{at, static_cast<std::size_t>(end - at)};
        if (prepare(database_, rest, statement, &tail) != SQLITE_OK) {
            return last_error();
        }
        at = tail;
        if (!statement) {
            continue; // a comment or white space
        }
        if (ran && !parameters.empty()) {
            return Error{Errc::internal, "Two statements cannot share parameters.", ""};
        }
        INTERLOCK_CHECK(bind(statement.get(), parameters));
        INTERLOCK_TRY(table, step(statement.get()));
        if (!ran && at == end) {
            statements_.give_back(sql, std::move(statement)); // it was the whole text
        }
        ran = true;
    }
    return table;
}

/// The parameters stay where they are until the statement has run.
base::Status SqliteTransaction::bind(sqlite3_stmt* statement, const std::vector<Cell>& parameters) {
    const int count = sqlite3_bind_parameter_count(statement);
    for (int index = 1; index <= count; ++index) {
        const char* name = sqlite3_bind_parameter_name(statement, index);
        std::size_t number = 0;
        if (name != nullptr && name[0] == '$') {
            std::from_chars(name + 1, name + std::strlen(name), number);
        }
        if (number == 0 || number > parameters.size()) {
            return Error{Errc::internal, "A statement of the store lacks a parameter.", ""};
        }
        const auto& cell = parameters[number - 1];
        const int code =
            cell ? sqlite3_bind_text64(
                       statement, index, cell->data(), cell->size(), SQLITE_STATIC, SQLITE_UTF8
                   )
                 : sqlite3_bind_null(statement, index);
        if (code != SQLITE_OK) {
            return last_error();
        }
    }
    return base::done;
}

base::Result<Table> SqliteTransaction::step(sqlite3_stmt* statement) {
    Table table;
    const int columns = sqlite3_column_count(statement);
    for (int i = 0; i < columns; ++i) {
        table.columns.emplace_back(sqlite3_column_name(statement, i));
    }
    const auto changes_before = sqlite3_total_changes64(database_);
    std::size_t bytes = 0;
    int code = SQLITE_OK;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        auto& row = table.rows.emplace_back();
        for (int i = 0; i < columns; ++i) {
            // Text first: it converts numbers, and only then is the length that of the text.
            const auto* text = sqlite3_column_text(statement, i);
            const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement, i));
            bytes += size;
            row.push_back(
                text == nullptr ? Cell{}
                                : Cell{std::in_place, reinterpret_cast<const char*>(text), size}
            );
        }
        if (table.rows.size() > limits::store_rows_max || bytes > limits::store_bytes_max) {
            return Error{
                Errc::limit_exceeded,
                "A read of the store " + path_ + " is larger than it may be.",
                "Read it in pages."};
        }
    }
    if (code != SQLITE_DONE) {
        return last_error();
    }
    if (sqlite3_total_changes64(database_) != changes_before) {
        table.affected = sqlite3_changes64(database_);
    }
    return table;
}

/// The connection serves one thread at a time; the others wait, but not for ever.
class Turn {
public:
    enum class Taken { yes, already_mine, late };

    Taken take(std::chrono::milliseconds patience) {
        std::unique_lock lock{mutex_};
        if (owner_ == std::this_thread::get_id()) {
            return Taken::already_mine;
        }
        if (!free_.wait_for(lock, patience, [this] { return owner_ == std::thread::id{}; })) {
            return Taken::late;
        }
        owner_ = std::this_thread::get_id();
        return Taken::yes;
    }
    void give_back() {
        {
            const std::lock_guard lock{mutex_};
            owner_ = std::thread::id{};
        }
        free_.notify_one();
    }

private:
    std::mutex mutex_;
    std::condition_variable free_;
    std::thread::id owner_;
};

/// Folds the write-ahead log into the file, beside the commits: SQLite would do it within one of
/// them, and everybody would wait for that one as long as for dozens of others. The thread and its
/// connection come with the first log that is long enough.
class Folder {
public:
    explicit Folder(std::string path) : path_(std::move(path)) {}
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    ~Folder() {
        {
            const std::lock_guard lock{mutex_};
            ending_ = true;
        }
        changed_.notify_one();
        if (thread_.joinable()) {
            thread_.join();
        }
    }

    /// SQLite's hook: told how many pages the log has, by whoever committed.
    static int committed(void* folder, sqlite3* database, const char*, int pages) {
        static_cast<Folder*>(folder)->committed(database, pages);
        return SQLITE_OK;
    }

private:
    void committed(sqlite3* database, int pages);
    bool start();
    void work();
    void fold(sqlite3* database);

    static constexpr int worth_pages = 1000; // as SQLite has it
    /// A log in which somebody always writes never begins anew by itself. From here on a commit
    /// brings the rest into the file, once that is little ...
    static constexpr int long_pages = 4 * worth_pages;
    static constexpr int little_pages = worth_pages / 4;
    /// ... and from here on, however much it is.
    static constexpr int pages_max = 2 * long_pages;

    const std::string path_;
    std::atomic<int> folded_{0}; // pages of the log that are in the file
    int looked_ = 0;             // its length when folding was last thought worth it
    std::mutex mutex_;
    std::condition_variable changed_;
    bool due_ = false;
    bool ending_ = false;
    Database database_;  // the thread's, once that runs
    std::thread thread_; // started by whoever commits
};

class SqliteStore final : public Store {
public:
    SqliteStore(
        Database database,
        std::string path,
        StoreMode mode,
        base::Clock& clock,
        Durability durability = Durability::commit
    )
        : database_(std::move(database)),
          path_(std::move(path)),
          mode_(mode),
          clock_(clock),
          durability_(durability),
          folder_(path_) {
        if (mode_ != StoreMode::read_only) {
            sqlite3_wal_hook(database_.get(), &Folder::committed, &folder_);
        }
    }

    base::Status transact(const std::function<base::Status(StoreTransaction&)>& body) override {
        if (mode_ == StoreMode::read_only) {
            auto error = read_only_error(path_);
            error.what = "The store " + path_ + " was opened for reading only.";
            return error;
        }
        return in_transaction("BEGIN IMMEDIATE", "COMMIT", body);
    }

    base::Status read(const std::function<base::Status(StoreTransaction&)>& body) override {
        return in_transaction("BEGIN DEFERRED", "ROLLBACK", body);
    }

    /// What was committed stands in the log beside the file. A checkpoint would bring it to the
    /// disk only when no other program holds it up, and would not say so.
    base::Status sync() override {
        if (durability_ == Durability::commit) {
            return base::done;
        }
        const int log = ::open((path_ + "-wal").c_str(), O_RDONLY | O_CLOEXEC);
        if (log < 0 && errno == ENOENT) {
            return base::done; // folded into the file, which synced it
        }
        const int failed = log < 0 || ::fdatasync(log) != 0 ? errno : 0;
        if (log >= 0) {
            ::close(log);
        }
        return failed == 0
                   ? base::Status(base::done)
                   : base::Status(store_error(path_, SQLITE_IOERR, failed, std::strerror(failed)));
    }

    std::string describe() const override { return "sqlite:" + path_; }

    base::Status execute(const char* sql) {
        if (sqlite3_exec(database_.get(), sql, nullptr, nullptr, nullptr) == SQLITE_OK) {
            return base::done;
        }
        return last_error();
    }

private:
    Error last_error() const {
        return store_error(
            path_,
            sqlite3_extended_errcode(database_.get()),
            sqlite3_system_errno(database_.get()),
            sqlite3_errmsg(database_.get())
        );
    }
    base::Status say(const char* sql);
    base::Status take_turn();
    base::Status set_writable(bool writable);
    base::Status in_transaction(
        const char* begin,
        const char* end,
        const std::function<base::Status(StoreTransaction&)>& body
    );

    Database database_;
    Statements statements_; // of the database: they go first
    std::string path_;
    StoreMode mode_;
    base::Clock& clock_;
    const Durability durability_;
    std::optional<bool> writable_; // as PRAGMA query_only was told last
    Turn turn_;
    Folder folder_; // ends before the database, which folds what is left as it closes
};

base::Status SqliteStore::take_turn() {
    switch (turn_.take(limits::store_busy_wait)) {
    case Turn::Taken::already_mine:
        return Error{Errc::internal, "A store transaction was begun inside another.", ""};
    case Turn::Taken::late:
        return store_error(path_, SQLITE_BUSY, 0, "another call is using it");
    case Turn::Taken::yes:
        break;
    }
    return base::done;
}

base::Status SqliteStore::set_writable(bool writable) {
    if (writable_ == writable) {
        return base::done;
    }
    auto status = execute(writable ? "PRAGMA query_only = OFF" : "PRAGMA query_only = ON");
    if (status) {
        writable_ = writable;
    }
    return status;
}

/// What every transaction says: prepared once.
base::Status SqliteStore::say(const char* sql) {
    Statement statement = statements_.take(sql);
    if ((!statement && prepare(database_.get(), sql, statement) != SQLITE_OK) ||
        sqlite3_step(statement.get()) != SQLITE_DONE) {
        return last_error();
    }
    statements_.give_back(sql, std::move(statement));
    return base::done;
}

base::Status SqliteStore::in_transaction(
    const char* begin, const char* end, const std::function<base::Status(StoreTransaction&)>& body
) {
    INTERLOCK_CHECK(take_turn());
    const bool writes = std::string_view{end} == "COMMIT";
    auto status = set_writable(writes);
    if (status) {
        status = say(begin);
    }
    if (status) {
        SqliteTransaction transaction{database_.get(), statements_, path_, clock_.now()};
        status = call_body(body, transaction);
        if (status && transaction.doom()) {
            status = *transaction.doom();
        }
        if (status) {
            status = say(end);
        }
        if (sqlite3_get_autocommit(database_.get()) == 0) {
            (void)say("ROLLBACK");
        }
    }
    turn_.give_back();
    return status;
}

/// The file with its own mode before SQLite sees it: SQLite gives its journals the same.
base::Status make_file(const std::string& path) {
    const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (file < 0) {
        const int reason = errno;
        return store_error(path, SQLITE_CANTOPEN, reason, std::strerror(reason));
    }
    ::close(file);
    return base::done;
}

bool exists(const std::string& path) {
    struct stat info {};
    return ::stat(path.c_str(), &info) == 0;
}

/// A path as an SQLite URI.
std::string uri(const std::string& path, std::string_view query) {
    std::string text = "file:";
    for (const char c : path) {
        if (c == '%' || c == '?' || c == '#') {
            constexpr char digits[] = "0123456789ABCDEF";
            const auto byte = static_cast<unsigned char>(c);
            text += {'%', digits[byte >> 4], digits[byte & 15]};
        } else {
            text += c;
        }
    }
    return text.append(query);
}

base::Result<Database> open_database(const std::string& path, const std::string& name, int flags) {
    sqlite3* raw = nullptr;
    const int code = sqlite3_open_v2(
        name.c_str(),
        &raw,
        flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI | SQLITE_OPEN_EXRESCODE,
        nullptr
    );
    Database database{raw};
    if (code != SQLITE_OK) {
        const int reason = raw != nullptr ? sqlite3_system_errno(raw) : 0;
        return store_error(path, code, reason, sqlite3_errstr(code));
    }
    sqlite3_busy_timeout(raw, static_cast<int>(limits::store_busy_wait.count()));
    sqlite3_db_config(raw, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
    sqlite3_db_config(raw, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
    return database;
}

void Folder::committed(sqlite3* database, int pages) {
    if (pages < looked_) { // it began anew
        folded_.store(0);
        looked_ = 0;
    }
    const int rest = pages - folded_.load();
    if (pages >= pages_max || (pages >= long_pages && rest < little_pages)) {
        fold(database);
        return;
    }
    if (pages - looked_ < worth_pages) {
        return;
    }
    looked_ = pages;
    if (!thread_.joinable() && !start()) {
        fold(database);
        return;
    }
    {
        const std::lock_guard lock{mutex_};
        due_ = true;
    }
    changed_.notify_one();
}

bool Folder::start() {
    try {
        auto opened = open_database(path_, uri(path_, ""), SQLITE_OPEN_READWRITE);
        if (!opened) {
            return false;
        }
        database_ = std::move(opened).value();
        // The first statement opens the log. What is folded is on the disk before the log is used
        // anew, whatever the store's own commits wait for.
        constexpr const char* first = "PRAGMA synchronous = FULL; PRAGMA schema_version";
        if (sqlite3_exec(database_.get(), first, nullptr, nullptr, nullptr) != SQLITE_OK) {
            return false;
        }
        thread_ = std::thread([this] { work(); });
    } catch (const std::system_error&) {
        return false;
    }
    return true;
}

void Folder::work() {
    std::unique_lock lock{mutex_};
    while (!ending_) {
        if (!std::exchange(due_, false)) {
            changed_.wait(lock);
            continue;
        }
        lock.unlock();
        fold(database_.get());
        lock.lock();
    }
}

/// Waits for nobody: what readers still need, and what another program is folding, stays. What
/// fails is tried again; people hear of a full disk from their commits.
void Folder::fold(sqlite3* database) {
    int folded = 0;
    if (sqlite3_wal_checkpoint_v2(database, nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, &folded) ==
        SQLITE_OK) {
        folded_.store(folded);
    }
}

/// Whether the file can be read: the first statement opens it and its log.
base::Status probe(SqliteStore& store) {
    return store.execute("PRAGMA schema_version; SELECT count(*) FROM sqlite_schema");
}

base::Result<std::unique_ptr<Store>> open_for_reading(const std::string& path, base::Clock& clock) {
    const auto attempt = [&](std::string_view query) -> base::Result<std::unique_ptr<SqliteStore>> {
        INTERLOCK_TRY(auto database, open_database(path, uri(path, query), SQLITE_OPEN_READONLY));
        auto store =
            std::make_unique<SqliteStore>(std::move(database), path, StoreMode::read_only, clock);
        INTERLOCK_CHECK(probe(*store));
        return store;
    };
    auto store = attempt("?mode=ro");
    // Sharing a file in WAL mode needs its index beside it. Where that cannot be made, and nobody
    // else has made it, nobody is writing, and the file alone is the whole truth.
    if (!store && store.error().code != Errc::corrupt && !exists(path + "-wal") &&
        !exists(path + "-shm")) {
        store = attempt("?mode=ro&immutable=1");
    }
    if (!store) {
        auto error = store.error();
        if (error.code == Errc::store_read_only) {
            error.code = Errc::permission_denied;
            error.what = "The store " + path + " cannot be read together with its log.";
            error.remedy = "Give this program read access to it and to the files beside it.";
        }
        return error;
    }
    return std::unique_ptr<Store>{std::move(*store)};
}

} // namespace

base::Result<std::unique_ptr<Store>> open_sqlite_store(
    const std::string& path, StoreMode mode, base::Clock& clock, Durability durability
) {
    if (mode == StoreMode::create) {
        INTERLOCK_CHECK(make_file(path));
    } else if (!exists(path)) {
        if (auto kept_out = kept_out_of(path)) {
            return std::move(*kept_out);
        }
        return Error{
            Errc::not_found,
            "There is no store at " + path + ".",
            "Check the path of the store; interlock-server makes it when it first starts."};
    }
    if (mode == StoreMode::read_only) {
        return open_for_reading(path, clock);
    }
    INTERLOCK_TRY(auto database, open_database(path, uri(path, ""), SQLITE_OPEN_READWRITE));
    if (sqlite3_db_readonly(database.get(), "main") == 1) {
        return read_only_error(path);
    }
    auto store = std::make_unique<SqliteStore>(std::move(database), path, mode, clock, durability);
    INTERLOCK_CHECK(store->execute("PRAGMA journal_mode = WAL"));
    INTERLOCK_CHECK(store->execute(
        durability == Durability::commit ? "PRAGMA synchronous = FULL"
                                         : "PRAGMA synchronous = NORMAL"
    ));
    INTERLOCK_CHECK(store->execute("PRAGMA foreign_keys = ON"));
    INTERLOCK_CHECK(store->execute("PRAGMA journal_size_limit = 67108864"));
    // Kilobytes of each connection's own cache of pages, which the system caches, too.
    INTERLOCK_CHECK(store->execute("PRAGMA cache_size = -512"));
    INTERLOCK_CHECK(probe(*store));
    return std::unique_ptr<Store>{std::move(store)};
}

} // namespace interlock::db
