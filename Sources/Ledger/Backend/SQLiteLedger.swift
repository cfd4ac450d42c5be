import Federation
import Foundation
import GRDB
import Synchronization

/// Stores entries in one SQLite file.
public final class SQLiteLedger: LedgerBackend {
    private let database: DatabaseQueue
    private let path: String
    private let isReadOnly: Bool
    /// The identities of the opened files: SQLite would go on writing to them even if other files replaced them.
    private let files = Mutex<[String: FileIdentity]>([:])
    /// The size and time of the files after this process's last write, and the tree head that they then held.
    private let written = Mutex<(marks: [FileMark?], treeHead: String?)>(([], nil))

    public static let fileName = "ledger.sqlite"

    /// Opens or creates the file.
    ///
    /// - Parameters:
    ///   - path: The path of the file.
    ///   - readOnly: If true, the file must exist and is not changed.
    /// - Throws: `LedgerError` if the file cannot be opened or is not a ledger.
    public init(path: String, readOnly: Bool = false) throws {
        self.path = path
        isReadOnly = readOnly
        var configuration = Configuration()
        configuration.readonly = readOnly
        configuration.prepareDatabase { db in
            // An acknowledged entry must be on the disk, even after a power failure.
            try db.execute(sql: "PRAGMA synchronous = FULL")
            if !readOnly { try db.execute(sql: "PRAGMA journal_mode = WAL") }
        }
        do {
            database = try DatabaseQueue(path: path, configuration: configuration)
            if !readOnly { try Self.create(database) }
            try Self.checkSchema(database, path)
        } catch let error as LedgerError {
            throw error
        } catch {
            throw LedgerError(.unreadable, "the ledger \(path) cannot be opened: \(Self.reason(error))")
        }
        if !readOnly {
            try requireWhole()
            recordWritten(try newestTreeHead())
        }
    }

    private var names: [String] { [path, path + "-wal"] }

    private func recordWritten(_ treeHead: String?) { written.withLock { $0 = (names.map(FileMark.init), treeHead) } }

    /// Throws if another program has changed the contents of the files: a copy that is written over a file keeps its
    /// identity.
    ///
    /// A program that has only moved the write-ahead log into the database file has left the ledger unchanged.
    private func requireSameContents() throws {
        let (marks, treeHead) = written.withLock { $0 }
        let found = names.map(FileMark.init)
        guard found != marks else { return }
        let other = try? SQLiteLedger(path: path, readOnly: true)
        defer { try? other?.close() }
        guard let other, let head = try? other.newestTreeHead(), head == treeHead, other.isUnder(head) else {
            throw LedgerError(
                .replaced,
                "the ledger's file \(path) was removed or replaced while it was in use: its contents have changed"
            )
        }
        written.withLock { $0.marks = found }
    }

    /// Whether the entries match this tree head; reads all of them.
    private func isUnder(_ note: String) -> Bool {
        var tree = MerkleTree()
        var isIntact = true
        do {
            try forEachEntry { _, entry in
                isIntact = isIntact && entry.isIntact
                tree.append(leaf: entry.leaf)
            }
        } catch { return false }
        guard isIntact else { return false }
        let lines = note.split(separator: "\n", maxSplits: 3, omittingEmptySubsequences: false)
        return lines.count == 4 && lines[1] == "\(tree.count)"
            && lines[2] == Data(tree.root.bytes).base64EncodedString()
    }

    /// Throws if the file contains anything but the two tables: a trigger or a view could change what is written or
    /// read.
    private static func checkSchema(_ database: DatabaseQueue, _ path: String) throws {
        let odd = try database.read { db in
            try String.fetchOne(
                db,
                sql:
                    """
                    SELECT type || ' ' || name FROM sqlite_master WHERE NOT (type = 'table' AND name IN ('entries', \
                    'tree_heads')) LIMIT 1
                    """
            )
        }
        guard let odd else { return }
        throw LedgerError(.tampered, "the ledger \(path) contains a \(DisplayText.escaped(odd)): not a ledger")
    }

    /// Checks that neither the file nor its write-ahead log was removed or replaced since it was opened.
    ///
    /// SQLite goes on writing to a file that was unlinked, and everything in it is lost when the process ends.
    ///
    /// - Throws: `LedgerError` if a file was removed or replaced.
    public func requireWhole() throws {
        try files.withLock { known in
            for name in [path, path + "-wal"] {
                let found = FileIdentity(name)
                if let expected = known[name] {
                    guard found == expected else {
                        throw LedgerError(
                            .replaced,
                            "the ledger's file \(name) was removed or replaced while it was in use"
                        )
                    }
                } else if let found {
                    known[name] = found
                }
            }
        }
    }

    private static func create(_ database: DatabaseQueue) throws {
        try database.write { db in
            try db.execute(
                sql: """
                    CREATE TABLE IF NOT EXISTS entries (position INTEGER PRIMARY KEY, bytes BLOB NOT NULL, leaf BLOB \
                    NOT NULL);
                    CREATE TABLE IF NOT EXISTS tree_heads (id INTEGER PRIMARY KEY CHECK (id = 1), note TEXT NOT NULL);
                    """
            )
        }
    }

    /// Returns the number of entries.
    ///
    /// - Throws: `LedgerError` if the file is damaged, or a position before the last entry has none.
    public func count() throws -> Int {
        try reading { db in
            let row = try Row.fetchOne(db, sql: "SELECT count(*), coalesce(max(position), -1) FROM entries")
            guard let count = row.flatMap({ Int.fromDatabaseValue($0[0]) }),
                let last = row.flatMap({ Int.fromDatabaseValue($0[1]) })
            else { throw LedgerError(.tampered, "the ledger's positions are not numbers") }
            guard count == last + 1 else {
                throw LedgerError(.tampered, "an entry of the ledger is missing: \(count) up to position \(last)")
            }
            return count
        }
    }

    /// Returns the entries at these positions, in order.
    ///
    /// - Parameter range: The positions, from 0; all of them must exist.
    /// - Throws: `LedgerError` if an entry is missing, or the file is damaged or was replaced.
    public func entries(in range: Range<Int>) throws -> [StoredEntry] {
        if !isReadOnly { try requireWhole() }
        let entries = try reading { db in
            let sql = "SELECT position, bytes, leaf FROM entries WHERE position >= ? AND position < ? ORDER BY position"
            return try Self.entries(
                Row.fetchCursor(db, sql: sql, arguments: [range.lowerBound, range.upperBound]),
                from: range.lowerBound
            )
        }
        guard entries.count == range.count else {
            throw LedgerError(.tampered, "entry \(range.lowerBound + entries.count) of the ledger is missing")
        }
        return entries
    }

    private static func entries(_ rows: RowCursor, from start: Int) throws -> [StoredEntry] {
        var entries: [StoredEntry] = []
        while let row = try rows.next() {
            guard let position = Int.fromDatabaseValue(row[0]), position == start + entries.count,
                let bytes = Data.fromDatabaseValue(row[1]),
                let leaf = Data.fromDatabaseValue(row[2]).flatMap({ Digest(Array($0)) })
            else {
                throw LedgerError(
                    .tampered,
                    "entry \(start + entries.count) of the ledger is missing or has no leaf hash"
                )
            }
            entries.append(StoredEntry(bytes: Array(bytes), leaf: leaf))
        }
        return entries
    }

    /// Returns the newest signed tree head; `nil` for an empty ledger. The signature is not checked.
    ///
    /// - Throws: `LedgerError` if the file is damaged.
    public func newestTreeHead() throws -> String? {
        try reading { db in try String.fetchOne(db, sql: "SELECT note FROM tree_heads WHERE id = 1") }
    }

    /// Appends entries and replaces the tree head in one transaction, which is on the disk when this returns.
    ///
    /// - Parameters:
    ///   - entries: The entries, in order.
    ///   - index: The position of the first one: the number of entries so far.
    ///   - treeHead: The signed note of the tree with these entries.
    /// - Throws: `LedgerError` if the file was removed, replaced or changed by another program, the disk is full, or
    ///   the file cannot be written.
    public func append(_ entries: [StoredEntry], from index: Int, treeHead: String) throws {
        try requireWhole()
        try requireSameContents()
        do {
            try database.write { db in
                for (offset, entry) in entries.enumerated() {
                    try db.execute(
                        sql: "INSERT INTO entries (position, bytes, leaf) VALUES (?, ?, ?)",
                        arguments: [index + offset, Data(entry.bytes), Data(entry.leaf.bytes)]
                    )
                }
                try db.execute(
                    sql:
                        """
                        INSERT INTO tree_heads (id, note) VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET note = \
                        excluded.note
                        """,
                    arguments: [treeHead]
                )
            }
        } catch let error as DatabaseError {
            let code: LedgerError.Code = error.resultCode == .SQLITE_FULL ? .full : .failed
            throw LedgerError(code, "the ledger cannot be written: \(Self.reason(error))")
        }
        // Do not acknowledge entries that went into an unlinked file.
        try requireWhole()
        recordWritten(treeHead)
    }

    /// Closes the file; the ledger must not be used afterwards.
    ///
    /// - Throws: `DatabaseError` of GRDB if the file cannot be closed.
    public func close() throws { try database.close() }

    /// SQLite's own message; GRDB adds the SQL statement, which does not help a user.
    private static func reason(_ error: any Error) -> String {
        guard let error = error as? DatabaseError else { return "\(error)" }
        return "\(error.message ?? "no reason is known") (SQLite error \(error.resultCode.rawValue))"
    }

    private func reading<T>(_ body: (Database) throws -> T) throws -> T {
        do {
            return try database.read(body)
        } catch let error as DatabaseError {
            throw LedgerError(.tampered, "the ledger's file is damaged: \(Self.reason(error))")
        }
    }
}

/// A file's size and the time of its last write.
private struct FileMark: Equatable, Sendable {
    private let size: Int64
    private let seconds: Int
    private let nanoseconds: Int

    /// Returns `nil` if there is no file at `path`.
    init?(_ path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        (size, seconds, nanoseconds) = (Int64(status.st_size), status.st_mtim.tv_sec, status.st_mtim.tv_nsec)
    }
}

/// The identity of the file at a path: its device and inode number.
private struct FileIdentity: Equatable, Sendable {
    private let device: UInt64
    private let number: UInt64

    /// Returns `nil` if there is no file at `path`.
    init?(_ path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        (device, number) = (UInt64(status.st_dev), UInt64(status.st_ino))
    }
}
