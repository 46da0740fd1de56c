#include "tools/evidence_store.hpp"

#include "base/file.hpp"
#include "base/json.hpp"
#include "base/limits.hpp"
#include "base/log.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <fcntl.h>
#include <filesystem>
#include <mutex>
#include <optional>
#include <sys/stat.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

namespace interlock::tools {
namespace {

using base::Json;
namespace limits = base::limits;
namespace fs = std::filesystem;

constexpr std::string_view prefix = "ev_";
constexpr std::size_t id_letters = 26; // 128 bits in base32 (base/ids.hpp)
constexpr std::string_view suffix = ".json";
constexpr std::size_t header_bytes_max = 16 * 1024;
// Room made at once when the budget is used up, so that not every later put has to look again.
constexpr std::size_t budget_after_eviction = limits::evidence_store_bytes_max / 10 * 9;
constexpr std::size_t files_after_eviction = limits::evidence_files_max / 10 * 9;
constexpr std::size_t recent_kept = 1'000; // ids to suggest; what is older is found by its id
// Other processes may share the directory; what they add is seen at least this often. A look reads
// every file's facts, so it must not come with every few puts.
constexpr int puts_between_looks = 1'000;
constexpr std::size_t bytes_between_looks = limits::evidence_store_bytes_max / 16;

bool is_id(std::string_view id) {
    return id.size() == prefix.size() + id_letters && id.substr(0, prefix.size()) == prefix &&
           id.find_first_not_of("abcdefghijklmnopqrstuvwxyz234567", prefix.size()) ==
               std::string_view::npos;
}

base::Error unknown(const std::string& id) {
    return {
        base::Errc::not_found,
        is_id(id) ? "No evidence " + id + " is kept for this identity."
                  : "That is not an evidence id.",
        "Run the tool again; evidence is kept for 7 days and only for who asked for it."};
}

/// One line of JSON about the record, then the body's bytes as they are.
std::string file_content(const StoredEvidence& evidence) {
    const Json header{
        {"id", evidence.id},
        {"subject", evidence.subject},
        {"tool", evidence.tool},
        {"target", evidence.target},
        {"created", evidence.created},
        {"bytes", evidence.body.size()}};
    return base::render_json(header) + "\n" + evidence.body;
}

std::optional<StoredEvidence> read_content(const std::string& content) {
    const std::size_t line_end = content.find('\n');
    if (line_end == std::string::npos || line_end > header_bytes_max) {
        return std::nullopt;
    }
    const auto header = base::parse_json(std::string_view{content}.substr(0, line_end));
    if (!header) {
        return std::nullopt;
    }
    StoredEvidence out;
    const auto take = [&](const char* key, std::string& into) {
        const auto value = base::string_member(*header, key);
        into = value.value_or("");
        return value.has_value();
    };
    const bool whole = take("id", out.id) && take("subject", out.subject) &&
                       take("tool", out.tool) && take("target", out.target) &&
                       take("created", out.created);
    if (!whole) {
        return std::nullopt;
    }
    out.body = content.substr(line_end + 1);
    const Json* bytes = base::member(*header, "bytes");
    if (bytes == nullptr || *bytes != out.body.size()) {
        return std::nullopt; // a loss of power cut it short
    }
    return out;
}

base::Error not_written(const std::string& path) {
    return {
        base::Errc::io,
        path + " cannot be written: " + std::strerror(errno) + ".",
        "Look at the state directory's disk."};
}

/// Beside it, then renamed over it: whole to every reader, and safe from the end of this process. A
/// loss of power may take it: a call must not wait for the disk to keep what matters only once
/// somebody reads or cites it, and sync() waits then.
base::Status write_unsynced(const std::string& path, const std::string& content) {
    std::string beside = path + ".XXXXXX";
    const int file = ::mkostemp(beside.data(), O_CLOEXEC); // readable by us alone
    if (file < 0) {
        return not_written(path);
    }
    std::size_t written = 0;
    ssize_t count = 0;
    while (written < content.size() &&
           (count = ::write(file, content.data() + written, content.size() - written)) > 0) {
        written += static_cast<std::size_t>(count);
    }
    const bool whole = written == content.size();
    ::close(file);
    if (!whole || ::rename(beside.c_str(), path.c_str()) != 0) {
        const base::Error problem = not_written(path);
        ::unlink(beside.c_str());
        return problem;
    }
    return base::done;
}

/// Waits until the file and its name are on the disk. Costs nothing when they are.
bool sync(const std::string& path) {
    bool synced = true;
    for (const std::string& each : {path, fs::path{path}.parent_path().string()}) {
        const int opened = ::open(each.c_str(), O_RDONLY | O_CLOEXEC);
        synced = opened >= 0 && ::fsync(opened) == 0 && synced;
        ::close(opened);
    }
    return synced;
}

timespec to_timespec(base::Time time) {
    const long long microseconds = base::microseconds_since_epoch(time);
    return {
        .tv_sec = static_cast<time_t>(microseconds / 1'000'000),
        .tv_nsec = static_cast<long>(microseconds % 1'000'000 * 1'000)};
}

struct StoredFile {
    std::string path;
    std::size_t bytes = 0;
    timespec used{}; // modification time: set by put and get, survives a restart
};

class EvidenceDirectory final : public EvidenceStore {
public:
    EvidenceDirectory(std::string directory, base::Clock& clock)
        : directory_{std::move(directory)}, clock_{clock} {
        make_room(0);
    }

    base::Status put(const StoredEvidence& evidence) override {
        if (!is_id(evidence.id)) {
            return base::Error{
                base::Errc::internal, "An evidence id was not made by new_id().", ""};
        }
        const std::string content = file_content(evidence);
        if (evidence.body.size() > limits::evidence_bytes_max) {
            return base::Error{
                base::Errc::limit_exceeded,
                "A result of " + std::to_string(evidence.body.size()) +
                    " bytes is larger than one stored result may be (" +
                    std::to_string(limits::evidence_bytes_max) + ").",
                "Narrow the question."};
        }
        const std::lock_guard lock{mutex_};
        if (bytes_ + content.size() > limits::evidence_store_bytes_max ||
            files_ + 1 > limits::evidence_files_max || ++puts_since_look_ >= puts_between_looks ||
            bytes_since_look_ >= bytes_between_looks) {
            make_room(content.size());
        }
        const std::string path = path_of(evidence.id);
        INTERLOCK_CHECK(write_unsynced(path, content));
        touch(path);
        bytes_since_look_ += content.size();
        bytes_ += content.size();
        ++files_;
        recent_.push_front({evidence.id, evidence.subject, clock_.now()});
        if (recent_.size() > recent_kept) {
            recent_.pop_back();
        }
        return base::done;
    }

    base::Result<StoredEvidence> get(const std::string& id, const std::string& subject) override {
        auto found = find(id, subject);
        if (!found) {
            return unknown(id);
        }
        touch(path_of(id));
        (void)sync(path_of(id));
        return std::move(*found);
    }

    bool owns(const std::string& id, const std::string& subject) override {
        return find(id, subject).has_value() && sync(path_of(id));
    }

    std::vector<std::string> recent(
        const std::string& subject, const std::string& beginning, std::size_t count_max
    ) override {
        const std::lock_guard lock{mutex_};
        std::vector<std::string> out;
        for (const Recent& one : recent_) {
            if (out.size() < count_max && one.subject == subject && one.id.starts_with(beginning) &&
                one.stored + limits::evidence_lifetime >= clock_.now()) {
                out.push_back(one.id);
            }
        }
        return out;
    }

private:
    struct Recent {
        std::string id;
        std::string subject;
        base::Time stored;
    };

    std::string path_of(const std::string& id) const {
        return directory_ + "/" + id + std::string{suffix};
    }

    /// The record if it exists, is whole, is fresh and belongs to `subject`.
    std::optional<StoredEvidence> find(const std::string& id, const std::string& subject) {
        if (!is_id(id)) {
            return std::nullopt;
        }
        const auto content =
            base::read_file(path_of(id), limits::evidence_bytes_max + header_bytes_max);
        if (!content) {
            return std::nullopt;
        }
        auto evidence = read_content(*content);
        if (!evidence || evidence->id != id) {
            base::log_warning("evidence.corrupt", {{"id", id}});
            return std::nullopt;
        }
        const auto created = base::parse_time(evidence->created);
        if (!created || *created + limits::evidence_lifetime < clock_.now() ||
            evidence->subject != subject) {
            return std::nullopt;
        }
        return evidence;
    }

    void touch(const std::string& path) const {
        const timespec now = to_timespec(clock_.now());
        const timespec times[2] = {now, now};
        // A file that another process removed meanwhile needs no mark.
        (void)utimensat(AT_FDCWD, path.c_str(), times, AT_SYMLINK_NOFOLLOW);
    }

    std::vector<StoredFile> list() const {
        std::vector<StoredFile> out;
        std::error_code problem;
        for (fs::directory_iterator entry{directory_, problem}, end; !problem && entry != end;
             entry.increment(problem)) {
            const std::string name = entry->path().filename().string();
            struct stat facts {};
            if (name.size() <= suffix.size() || !name.ends_with(suffix) ||
                !is_id(std::string_view{name}.substr(0, name.size() - suffix.size())) ||
                lstat(entry->path().c_str(), &facts) != 0 || !S_ISREG(facts.st_mode)) {
                continue; // not ours: never counted, never removed
            }
            out.push_back(
                {entry->path().string(), static_cast<std::size_t>(facts.st_size), facts.st_mtim}
            );
        }
        return out;
    }

    /// Looks at the directory again, drops what is past its lifetime and, when `coming` bytes would
    /// not fit, the least recently used. The caller holds the mutex (or is the constructor).
    void make_room(std::size_t coming) {
        auto found = list();
        std::sort(found.begin(), found.end(), [](const StoredFile& a, const StoredFile& b) {
            return std::pair{a.used.tv_sec, a.used.tv_nsec} <
                   std::pair{b.used.tv_sec, b.used.tv_nsec};
        });
        bytes_ = 0;
        for (const StoredFile& file : found) {
            bytes_ += file.bytes;
        }
        files_ = found.size();
        puts_since_look_ = 0;
        bytes_since_look_ = 0;
        const bool full = bytes_ + coming > limits::evidence_store_bytes_max ||
                          files_ + 1 > limits::evidence_files_max;
        const timespec oldest = to_timespec(clock_.now() - limits::evidence_lifetime);
        for (const StoredFile& file : found) {
            const bool expired = file.used.tv_sec < oldest.tv_sec;
            const bool in_the_way = full && (bytes_ + coming > budget_after_eviction ||
                                             files_ + 1 > files_after_eviction);
            if (!expired && !in_the_way) {
                break; // sorted by use: the rest is fresher
            }
            std::error_code problem;
            if (fs::remove(file.path, problem)) {
                bytes_ -= std::min(bytes_, file.bytes);
                --files_;
            }
        }
    }

    std::string directory_;
    base::Clock& clock_;
    std::mutex mutex_;          // guards what follows, and eviction; files are written atomically
    std::deque<Recent> recent_; // newest first
    std::size_t bytes_ = 0;
    std::size_t files_ = 0;
    int puts_since_look_ = 0;
    std::size_t bytes_since_look_ = 0;
};

} // namespace

base::Result<std::unique_ptr<EvidenceStore>>
open_evidence_directory(const std::string& directory, base::Clock& clock) {
    INTERLOCK_CHECK(base::make_private_directory(directory));
    std::unique_ptr<EvidenceStore> store = std::make_unique<EvidenceDirectory>(directory, clock);
    return store;
}

} // namespace interlock::tools
