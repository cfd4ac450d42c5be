import Federation

/// Parses roles from SPIFFE IDs (SPIFFE-ID and X.509-SVID specifications).
///
/// An ID has the scheme `spiffe`, a trust domain of `[a-z0-9._-]` and path segments of `[a-zA-Z0-9._-]`.
/// Percent-encoding, queries, ports, empty or dot segments and a trailing slash are not allowed. An ID has at most
/// 2,048 bytes.
public enum SPIFFE {
    public static let maximumBytes = 2048
    private static let scheme = "spiffe://"

    /// Parses the role in a SPIFFE ID.
    ///
    /// - Parameter uri: The ID, for example `spiffe://robots.example/member/acme/site/osaka`.
    /// - Returns: The principal: the consortium is the ID's trust domain, the role its path.
    /// - Throws: `IdentityError` if the ID is malformed or its path is not one of the known roles.
    public static func principal(_ uri: String) throws -> Principal {
        guard uri.utf8.count <= maximumBytes else {
            throw wrong(String(uri.prefix(80)), "longer than \(maximumBytes) bytes")
        }
        guard uri.hasPrefix(scheme) else { throw wrong(uri, "its scheme is not spiffe") }
        let parts = uri.dropFirst(scheme.count).split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard isTrustDomain(parts[0]) else { throw wrong(uri, "its trust domain may only have a-z 0-9 . _ -") }
        let path = Array(parts.dropFirst())
        guard path.allSatisfy(CampaignID.isValid) else {
            throw wrong(
                uri,
                "its path has an empty, dotted or too long segment, or characters other than A-Z a-z 0-9 . _ -"
            )
        }
        guard let role = role(path) else {
            throw wrong(uri, "its path is not one of member/M/site/S, operator/O, auditor/A, coordinator/C")
        }
        return Principal(consortium: parts[0], role: role)
    }

    /// Whether a text is a trust domain: 1 to 255 bytes of `a-z 0-9 . _ -`.
    ///
    /// - Parameter text: The text, without scheme and path.
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
        IdentityError(.wrongIdentity, "not a valid identity in a consortium", detail: "\(uri): \(why)")
    }
}
