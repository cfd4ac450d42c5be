/// The validity period of a certificate or a revocation list, and when to warn of its end.
public struct ValidityPeriod: Equatable, Sendable {
    public let notBefore: Timestamp
    public let notAfter: Timestamp

    /// Creates the value from its parts; see the properties.
    ///
    /// - Parameters:
    ///   - notBefore: The first time at which it is valid.
    ///   - notAfter: The last time at which it is valid.
    public init(notBefore: Timestamp, notAfter: Timestamp) {
        self.notBefore = notBefore
        self.notAfter = notAfter
    }

    /// A warning is given once at each of these numbers of days before the end.
    public static let noticeDays = [30, 7, 1]

    public enum Standing: Equatable, Sendable {
        case notYetValid
        case valid
        /// `days` is the smallest of ``ValidityPeriod/noticeDays`` that has not passed yet.
        case endsWithin(days: Int)
        case ended
    }

    /// Returns where a time lies relative to the validity period; both ends belong to it.
    ///
    /// - Parameter now: The time to compare with the period.
    public func standing(at now: Timestamp) -> Standing {
        if now < notBefore { return .notYetValid }
        if now > notAfter { return .ended }
        let near = Self.noticeDays.filter { now.adding(seconds: $0 * 86_400) >= notAfter }.min()
        return near.map { .endsWithin(days: $0) } ?? .valid
    }

    /// Returns the warning to give now, for example `ends in 6 days, at 2026-12-02T10:00:00Z`; `nil` if there is none.
    ///
    /// - Parameter now: The present time.
    public func notice(at now: Timestamp) -> String? {
        switch standing(at: now) {
        case .valid: nil
        case .notYetValid: "is not valid before \(notBefore.text); the clock here says \(now.text)"
        case .ended: "ended at \(notAfter.text); the clock here says \(now.text)"
        case .endsWithin: "ends in \(Self.duration(now.seconds(to: notAfter))), at \(notAfter.text)"
        }
    }

    private static func duration(_ seconds: UInt64) -> String {
        func count(_ value: UInt64, _ unit: String) -> String { "\(value) \(unit)\(value == 1 ? "" : "s")" }
        if seconds >= 2 * 86_400 { return count(seconds / 86_400, "day") }
        return seconds >= 3600 ? count(seconds / 3600, "hour") : count(max(1, seconds / 60), "minute")
    }
}

/// A certificate or a revocation list with the name that a log line or a status shows.
public struct ExpiryNotice: Equatable, Sendable {
    /// For example `the certificate of member/acme/site/osaka`.
    public let name: String
    public let term: ValidityPeriod
    /// What to do before it ends.
    public let remedy: String

    public static let renew = "kumiai pki renew"
    public static let rotate = "the consortium changes its CA: kumiai pki endorse, then kumiai coordinator rotate-ca"
    public static let listAnew = "kumiai pki revoke --ca, and put crl.pem in place"

    /// Creates the value from its parts; see the properties.
    ///
    /// - Parameters:
    ///   - name: What the certificate or the list is called in the warning.
    ///   - term: Its validity period.
    ///   - remedy: What to do before it ends; by default to renew the certificate.
    public init(_ name: String, _ term: ValidityPeriod, remedy: String = ExpiryNotice.renew) {
        self.name = name
        self.term = term
        self.remedy = remedy
    }

    /// Returns the warning to give now; `nil` if there is none.
    ///
    /// - Parameter now: The present time.
    public func text(at now: Timestamp) -> String? { term.notice(at: now).map { "\(name) \($0)" } }
}

/// Repeats each warning about a certificate once per threshold, and once at the start.
public struct CertificateReminder: Sendable {
    private var reported: [String: (term: ValidityPeriod, standing: ValidityPeriod.Standing)] = [:]

    /// Creates a reminder that has given no warning yet.
    public init() {}

    /// Returns those of `notices` that have passed a threshold since the last call, or are new.
    ///
    /// - Parameters:
    ///   - notices: All certificates and revocation lists in use; each is known by its name.
    ///   - now: The present time.
    public mutating func due(_ notices: [ExpiryNotice], at now: Timestamp) -> [ExpiryNotice] {
        notices.filter { notice in
            let standing = notice.term.standing(at: now)
            let before = reported.updateValue((notice.term, standing), forKey: notice.name)
            guard standing != .valid else { return false }
            return before?.term != notice.term || before?.standing != standing
        }
    }
}
