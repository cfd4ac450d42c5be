import Federation
import Glibc

/// Certificates and keys in files. Reads are bounded; keys are never overwritten and never readable by other users.
public enum IdentityFile {
    /// The largest file of certificates, keys or revoked certificates to read, in bytes.
    public static let maximumBytes = 1 << 20

    private static let readHint = "is the path right, and may this user read it?"

    // MARK: Reading

    /// Reads a regular file.
    ///
    /// - Parameter path: The path of the file, which has at most ``maximumBytes`` bytes.
    /// - Returns: The file's contents.
    /// - Throws: `IdentityError` if the file is missing, too large or not a regular file.
    public static func read(_ path: String) throws -> [UInt8] { try read(path, isKey: false) }

    /// Reads all certificates of a PEM file, leaf first.
    ///
    /// - Parameter path: The file's path.
    /// - Returns: The certificates, at least one and at most eight.
    /// - Throws: `IdentityError` if the file cannot be read, or its first certificate is missing or malformed.
    public static func certificates(_ path: String) throws -> [Certificate] {
        try naming(path) { try Certificate.chain(pem: $0) }
    }

    /// Reads whom the first certificate of a PEM file identifies; whether it is valid is not checked.
    ///
    /// - Parameter path: The file's path.
    /// - Throws: `IdentityError` if the file cannot be read, or the certificate is malformed or identifies nobody.
    public static func principal(_ path: String) throws -> Principal {
        try naming(path) { try Certificate.chain(pem: $0)[0].principal() }
    }

    /// Reads a private key.
    ///
    /// - Parameter path: The path of the file, with an unencrypted key in PEM; its mode must not give other users any
    ///   access.
    /// - Throws: `IdentityError` if the file cannot be read, is malformed, or is readable by users other than its
    ///   owner.
    public static func key(_ path: String) throws -> PrivateKey {
        let bytes = try read(path, isKey: true)
        do { return try PrivateKey(pem: bytes) } catch let error as IdentityError { throw error.inFile(path) }
    }

    /// Reads a consortium's authorities and, if there is a file of them, their revocation lists.
    ///
    /// - Parameters:
    ///   - path: The path of the authorities' file in PEM.
    ///   - revocations: The path of the file of revocation lists, in PEM or DER; `nil` if revocation is not checked.
    /// - Throws: `IdentityError` if a file cannot be read or is malformed, or a list is not signed by one of the
    ///   authorities.
    public static func roots(_ path: String, revocations: String? = nil) throws -> TrustRoots {
        let authorities = try certificates(path)
        guard let revocations else { return TrustRoots(authorities) }
        return try naming(revocations) {
            try TrustRoots(authorities, revocations: RevocationList.lists($0, of: authorities))
        }
    }

    private static func naming<R>(_ path: String, _ parse: ([UInt8]) throws -> R) throws -> R {
        let bytes = try read(path)
        do { return try parse(bytes) } catch let error as IdentityError { throw error.inFile(path) }
    }

    private static func read(_ path: String, isKey: Bool) throws -> [UInt8] {
        // Open without blocking: a pipe without a writer must not block a service.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            throw IdentityError.system(.unreadable, "cannot read the file", path, hint: readHint)
        }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            throw IdentityError.system(.unreadable, "cannot read the file", path, hint: readHint)
        }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw IdentityError(
                .unreadable,
                "cannot read the file: it is not a regular file",
                detail: path,
                hint: "give the path of a PEM file",
                file: path
            )
        }
        guard !isKey || status.st_mode & 0o077 == 0 else {
            let mode = String(status.st_mode & 0o777, radix: 8)
            throw IdentityError(
                .exposed,
                "users other than its owner can read a private key",
                detail: "\(path) has mode 0\(mode); expected 0600",
                hint: "chmod 600 the file; if others may have read it, create a new key and get a certificate for it",
                file: path
            )
        }
        guard status.st_size <= maximumBytes else {
            throw IdentityError(
                .unreadable,
                "the file is too large",
                detail: "\(path) has \(status.st_size) bytes; expected at most \(maximumBytes)",
                file: path
            )
        }
        return try readAll(descriptor, atMost: maximumBytes, path)
    }

    private static func readAll(_ descriptor: Int32, atMost limit: Int, _ path: String) throws -> [UInt8] {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 16_384)
        while true {
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else {
                throw IdentityError.system(.unreadable, "cannot read the file", path, hint: readHint)
            }
            if count == 0 { return bytes }
            bytes += buffer.prefix(count)
            guard bytes.count <= limit else {
                throw IdentityError(
                    .unreadable,
                    "the file is too large",
                    detail: "\(path); expected at most \(limit) bytes",
                    file: path
                )
            }
        }
    }

    // MARK: Writing

    /// Writes a new private key: with mode 0600 from the start, durable, and never over an existing file.
    ///
    /// - Parameters:
    ///   - key: The key, written as unencrypted PKCS #8 PEM.
    ///   - path: The path of the new file, in a directory that exists.
    /// - Throws: `IdentityError` with ``IdentityError/Code/exists`` if there is a file, or another one if it cannot be
    ///   written.
    public static func create(_ key: PrivateKey, at path: String) throws {
        try create(key.pem(), at: path, mode: 0o600)
    }

    /// Writes a new file, which is durable when this returns.
    ///
    /// - Parameters:
    ///   - bytes: The file's contents.
    ///   - path: The path of the new file, in a directory that exists.
    ///   - mode: The file's permissions, which the process's umask restricts.
    /// - Throws: `IdentityError` with ``IdentityError/Code/exists`` if there is a file, or another one if it cannot be
    ///   written.
    public static func create(_ bytes: [UInt8], at path: String, mode: mode_t = 0o644) throws {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
        guard descriptor >= 0 else {
            guard errno == EEXIST else { throw IdentityError.system(.unreadable, "cannot write the file", path) }
            throw IdentityError(.exists, "the file already exists and is not overwritten", detail: path)
        }
        defer { close(descriptor) }
        do {
            try write(bytes, descriptor, path)
            try synchroniseFolder(of: path)
        } catch {
            // Remove an incomplete file, which would otherwise block the next attempt.
            unlink(path)
            throw error
        }
    }

    /// Replaces a certificate or a list atomically: a reader sees either the old or the new one.
    ///
    /// - Parameters:
    ///   - bytes: The new contents.
    ///   - path: The path of the file, which need not exist.
    ///   - mode: The file's permissions, which the process's umask restricts.
    /// - Throws: `IdentityError` if the file cannot be written.
    public static func replace(_ bytes: [UInt8], at path: String, mode: mode_t = 0o644) throws {
        let draft = "\(path).\(getpid()).new"
        unlink(draft)
        try create(bytes, at: draft, mode: mode)
        guard rename(draft, path) == 0 else {
            let error = IdentityError.system(.unreadable, "cannot write the file", path)
            unlink(draft)
            throw error
        }
        try synchroniseFolder(of: path)
    }

    private static func write(_ bytes: [UInt8], _ descriptor: Int32, _ path: String) throws {
        var done = 0
        while done < bytes.count {
            let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress! + done, bytes.count - done) }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { throw IdentityError.system(.unreadable, "cannot write the file", path) }
            done += count
        }
        guard fsync(descriptor) == 0 else {
            throw IdentityError.system(.unreadable, "cannot make the file durable", path)
        }
    }

    private static func synchroniseFolder(of path: String) throws {
        let folder = path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw IdentityError.system(.unreadable, "cannot open the directory", folder) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else {
            throw IdentityError.system(.unreadable, "cannot make the directory durable", folder)
        }
    }
}
