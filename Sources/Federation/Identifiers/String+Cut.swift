extension String {
    /// The longest beginning of at most `count` bytes that ends between two characters of Unicode.
    ///
    /// Counted in bytes, because what people see as one character may be kilobytes long.
    public func cut(toBytes count: Int) -> String {
        guard utf8.count > count else { return self }
        var end = utf8.index(startIndex, offsetBy: count)
        while end.samePosition(in: unicodeScalars) == nil { end = utf8.index(before: end) }
        return String(self[..<end])
    }
}
