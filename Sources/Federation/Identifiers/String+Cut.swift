extension String {
    /// Returns the longest prefix of at most `count` bytes that does not split a Unicode scalar.
    ///
    /// The limit is in bytes, because a single grapheme cluster can be kilobytes long.
    ///
    /// - Parameter count: The largest number of UTF-8 bytes, not negative.
    public func cut(toBytes count: Int) -> String {
        guard utf8.count > count else { return self }
        var end = utf8.index(startIndex, offsetBy: count)
        while end.samePosition(in: unicodeScalars) == nil { end = utf8.index(before: end) }
        return String(self[..<end])
    }
}
