import Foundation
import NIOCore
import NIOPosix

/// Describes any error for a user. The descriptions that NIO, the system and Foundation provide are for programmers.
package func describe(_ error: any Error) -> String {
    switch error {
    case let error as NIOConnectionError: ConnectionFailure(error).reason
    case let error as SocketAddressError.UnknownHost: "the name \"\(error.host)\" is unknown"
    case let error as IOError: reason(error.errnoCode)
    case let error as ChannelError: text(error)
    case is CancellationError: "it was stopped"
    case is DecodingError: "its JSON lacks a value or has a value of the wrong type"
    case is EncodingError: "it cannot be written as JSON"
    case _ where isFoundations(error): foundationText(error)
    case let error as any CustomStringConvertible: error.description
    default: "an error without a text (\(type(of: error)))"
    }
}

/// Why a connection could not be established, and what to do about it.
struct ConnectionFailure {
    let reason: String
    let hint: String

    init(_ error: any Error) { (reason, hint) = Self.words(for: error) }

    private static func words(for error: any Error) -> (reason: String, hint: String) {
        let usual = "is the coordinator running, and is the address right?"
        switch error {
        case let error as NIOConnectionError:
            if let first = error.connectionErrors.first { return words(for: first.error) }
            return (
                "the name \"\(error.host)\" cannot be found",
                "is the name correct, and does this machine's name service (DNS) work? an IP address needs none"
            )
        case let error as IOError:
            let noRoute = [ENETUNREACH, EHOSTUNREACH].contains(error.errnoCode)
            return (
                Transport.reason(error.errnoCode),
                noRoute ? "is this machine's network up, and is there a route to that address?" : usual
            )
        case ChannelError.connectTimeout:
            return (describe(error), "does a firewall stop the connection, or is the address wrong?")
        default: return (describe(error), usual)
        }
    }
}

extension TransportError {
    /// Creates an error for a host and port that cannot be listened on.
    init(listeningOn host: String, _ port: Int, _ error: any Error) {
        let hint =
            switch (error as? IOError)?.errnoCode {
            case EADDRINUSE:
                "another program listens there: stop it, or choose another port in `listen`; `ss -ltnp` shows it"
            case EADDRNOTAVAIL:
                "this machine does not have that address: set one of its addresses in `listen`, or 0.0.0.0 for all"
            case EACCES: "ports below 1024 are reserved for privileged programs: choose a higher one in `listen`"
            default: "check `listen` in the coordinator's configuration"
            }
        self.init(.cannotListen, "cannot listen on \(host):\(port): \(describe(error))", hint: hint)
    }
}

private func reason(_ code: Int32) -> String {
    let text = String(cString: strerror(code))
    return text.prefix(1).lowercased() + text.dropFirst()
}

private func text(_ error: ChannelError) -> String {
    switch error {
    case .connectTimeout(let time): "no answer within \(time.nanoseconds / 1_000_000_000) s"
    case .ioOnClosedChannel, .alreadyClosed, .inputClosed, .outputClosed, .eof: "the connection was closed"
    default: "the connection failed"
    }
}

/// Whether the type is one of Foundation's. A cast cannot tell, because any error can be cast to `NSError`.
private func isFoundations(_ error: any Error) -> Bool { String(reflecting: type(of: error)).hasPrefix("Foundation") }

private func foundationText(_ error: any Error) -> String {
    switch error {
    case let error as CocoaError:
        text(error.userInfo, cocoa: error.code.rawValue)
    case let error as POSIXError: reason(error.code.rawValue)
    case let error as NSError: text(error)
    default: "a file or a process cannot be used (\(type(of: error)))"
    }
}

private func text(_ error: NSError) -> String {
    switch error.domain {
    case NSPOSIXErrorDomain: reason(Int32(truncatingIfNeeded: error.code))
    case NSCocoaErrorDomain: text(error.userInfo, cocoa: error.code)
    default: "the system reported the error \(error.code) of \(error.domain)"
    }
}

/// Returns `path: reason`, as far as Foundation provides them.
private func text(_ userInfo: [String: Any], cocoa code: Int) -> String {
    let path = userInfo[NSFilePathErrorKey] as? String ?? (userInfo[NSURLErrorKey] as? URL)?.path
    let why =
        switch userInfo[NSUnderlyingErrorKey] {
        case let error as POSIXError: reason(error.code.rawValue)
        case let error as NSError where error.domain == NSPOSIXErrorDomain:
            reason(Int32(truncatingIfNeeded: error.code))
        default: reason(cocoa: code)
        }
    return [path, why].compactMap { $0 }.joined(separator: ": ")
}

private func reason(cocoa code: Int) -> String {
    switch CocoaError.Code(rawValue: code) {
    case .fileNoSuchFile, .fileReadNoSuchFile: "no such file or directory"
    case .fileReadNoPermission, .fileWriteNoPermission: "permission denied"
    case .fileWriteFileExists: "a file with that name already exists"
    case .fileWriteOutOfSpace: "no space left on device"
    case .fileWriteVolumeReadOnly: "the file system is read-only"
    case .fileReadTooLarge: "the file is too large"
    case .fileReadCorruptFile, .coderReadCorrupt, .propertyListReadCorrupt: "its content cannot be read"
    case .coderInvalidValue: "a value in it cannot be used"
    case .fileReadUnknown: "it cannot be read"
    case .fileWriteUnknown: "it cannot be written"
    default: "the file cannot be used (error \(code))"
    }
}
