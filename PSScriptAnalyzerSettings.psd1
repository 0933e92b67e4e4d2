@{
    # What the analyzer cannot see in Pester files: variables that cross from BeforeAll to It, helpers that are not for users, and
    # secrets that are none.
    ExcludeRules = @(
        'PSUseDeclaredVarsMoreThanAssignments'
        'PSUseShouldProcessForStateChangingFunctions'
        'PSAvoidUsingConvertToSecureStringWithPlainText'
        'PSAvoidUsingPositionalParameters'
        'PSAvoidUsingInvokeExpression'
        'PSUseUsingScopeModifierInNewRunspaces'
        # UTF-8 without a mark is what every system but old Windows PowerShell reads.
        'PSUseBOMForUnicodeEncodedFile'
    )
}
