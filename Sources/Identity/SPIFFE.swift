import Federation

/// Which roles a SPIFFE ID may name (SPIFFE-ID and X.509-SVID specifications).
///
/// Scheme `spiffe`, a trust domain of `[a-z0-9._-]`, path segments of `[a-zA-Z0-9._-]`; no percent-encoding, query,
/// port, empty or dot segments, no trailing slash, at most 2,048 bytes.
public enum SPIFFE {
    public static let maximumBytes = 2048
    private static let scheme = "spiffe://"

    /// Reads a role from a SPIFFE ID.
    public static func principal(_ uri: String) throws -> Principal {
        guard uri.utf8.count <= maximumBytes else {
            throw wrong(String(uri.prefix(80)), "longer than \(maximumBytes) bytes")
        }
        guard uri.hasPrefix(scheme) else { throw wrong(uri, "its scheme is not spiffe") }
        let parts = uri.dropFirst(scheme.count).split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard isTrustDomain(parts[0]) else { throw wrong(uri, "its trust domain has characters outside a-z 0-9 . _ -") }
        let path = Array(parts.dropFirst())
        guard path.allSatisfy(CampaignID.isValid) else {
            throw wrong(
                uri,
                "its path has an empty, dotted or too long segment, or characters outside A-Z a-z 0-9 . _ -"
            )
        }
        guard let role = role(path) else {
            throw wrong(uri, "its path is none of member/M/site/S, operator/O, auditor/A, coordinator/C")
        }
        return Principal(consortium: parts[0], role: role)
    }

    public static func isTrustDomain(_ text: String) -> Bool {
        (1...255).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                    || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
            }
    }

    private static func role(_ path: [String]) -> Principal.Role? {
        switch (path.count, path.first) {
        case (4, "member") where path[2] == "site": SiteID(member: path[1], site: path[3]).map(Principal.Role.site)
        case (2, "operator"): .operator(path[1])
        case (2, "auditor"): .auditor(path[1])
        case (2, "coordinator"): .coordinator(path[1])
        default: nil
        }
    }

    private static func wrong(_ uri: String, _ why: String) -> IdentityError {
        IdentityError(.wrongIdentity, "not an identity of a consortium", detail: "\(uri): \(why)")
    }
}
