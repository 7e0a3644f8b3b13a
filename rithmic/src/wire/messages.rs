//! The types of all messages, by their template numbers.
//!
//! The types are `rithmic-rs`'s (`rithmic_rs::rti`), whose fields are Rithmic's. The numbers are no
//! part of a type, so the table here gives them.

use prost::{DecodeError, Message as _};
use rithmic_rs::rti::{self, messages::RithmicMessage};

/// A message that has a template number.
pub trait Template: prost::Message + Clone + Default {
    /// Its template number.
    const TEMPLATE: i32;

    /// Its field for that number.
    fn template(&mut self) -> &mut i32;
}

macro_rules! templates {
    ($($number:literal => $name:ident,)*) => {
        $(impl Template for rti::$name {
            const TEMPLATE: i32 = $number;

            fn template(&mut self) -> &mut i32 {
                &mut self.template_id
            }
        })*
    };
}

macro_rules! received {
    ($($number:literal => $name:ident,)*) => {
        templates! { $($number => $name,)* }

        /// Decodes a message that a gateway sends; `None` if there is no type for its template
        /// number. It allocates. Last trades and quotes have a decoder of their own:
        /// [`decode`](super::decode).
        ///
        /// # Errors
        /// If the message is not of the type of its template number.
        pub fn decode_message(
            template: i32,
            message: &[u8],
        ) -> Result<Option<RithmicMessage>, DecodeError> {
            Ok(Some(match template {
                18 => RithmicMessage::RequestHeartbeat(rti::RequestHeartbeat::decode(message)?),
                // What older gateways call 358.
                76 => RithmicMessage::UserAccountUpdate(rti::UserAccountUpdate::decode(message)?),
                $($number => RithmicMessage::$name(rti::$name::decode(message)?),)*
                _ => return Ok(None),
            }))
        }
    };
}

// What a client sends.
templates! {
    10 => RequestLogin,
    12 => RequestLogout,
    14 => RequestReferenceData,
    16 => RequestRithmicSystemInfo,
    18 => RequestHeartbeat,
    20 => RequestRithmicSystemGatewayInfo,
    100 => RequestMarketDataUpdate,
    102 => RequestGetInstrumentByUnderlying,
    105 => RequestMarketDataUpdateByUnderlying,
    107 => RequestGiveTickSizeTypeTable,
    109 => RequestSearchSymbols,
    111 => RequestProductCodes,
    113 => RequestFrontMonthContract,
    115 => RequestDepthByOrderSnapshot,
    117 => RequestDepthByOrderUpdates,
    119 => RequestGetVolumeAtPrice,
    121 => RequestAuxilliaryReferenceData,
    200 => RequestTimeBarUpdate,
    202 => RequestTimeBarReplay,
    204 => RequestTickBarUpdate,
    206 => RequestTickBarReplay,
    208 => RequestVolumeProfileMinuteBars,
    210 => RequestResumeBars,
    300 => RequestLoginInfo,
    302 => RequestAccountList,
    304 => RequestAccountRmsInfo,
    306 => RequestProductRmsInfo,
    308 => RequestSubscribeForOrderUpdates,
    310 => RequestTradeRoutes,
    312 => RequestNewOrder,
    314 => RequestModifyOrder,
    316 => RequestCancelOrder,
    318 => RequestShowOrderHistoryDates,
    320 => RequestShowOrders,
    322 => RequestShowOrderHistory,
    324 => RequestShowOrderHistorySummary,
    326 => RequestShowOrderHistoryDetail,
    328 => RequestOcoOrder,
    330 => RequestBracketOrder,
    332 => RequestUpdateTargetBracketLevel,
    334 => RequestUpdateStopBracketLevel,
    336 => RequestSubscribeToBracketUpdates,
    338 => RequestShowBrackets,
    340 => RequestShowBracketStops,
    342 => RequestListExchangePermissions,
    344 => RequestLinkOrders,
    346 => RequestCancelAllOrders,
    348 => RequestEasyToBorrowList,
    400 => RequestPnLPositionUpdates,
    402 => RequestPnLPositionSnapshot,
    500 => RequestListUnacceptedAgreements,
    502 => RequestListAcceptedAgreements,
    504 => RequestAcceptAgreement,
    506 => RequestShowAgreement,
    508 => RequestSetRithmicMrktDataSelfCertStatus,
    3500 => RequestModifyOrderReferenceData,
    3502 => RequestOrderSessionConfig,
    3504 => RequestExitPosition,
    3506 => RequestReplayExecutions,
    3508 => RequestAccountRmsUpdates,
    3510 => RequestGetUserInfo,
    3512 => RequestShowFillHistory,
}

// What a gateway sends.
received! {
    11 => ResponseLogin,
    13 => ResponseLogout,
    15 => ResponseReferenceData,
    17 => ResponseRithmicSystemInfo,
    19 => ResponseHeartbeat,
    21 => ResponseRithmicSystemGatewayInfo,
    75 => Reject,
    77 => ForcedLogout,
    101 => ResponseMarketDataUpdate,
    103 => ResponseGetInstrumentByUnderlying,
    104 => ResponseGetInstrumentByUnderlyingKeys,
    106 => ResponseMarketDataUpdateByUnderlying,
    108 => ResponseGiveTickSizeTypeTable,
    110 => ResponseSearchSymbols,
    112 => ResponseProductCodes,
    114 => ResponseFrontMonthContract,
    116 => ResponseDepthByOrderSnapshot,
    118 => ResponseDepthByOrderUpdates,
    120 => ResponseGetVolumeAtPrice,
    122 => ResponseAuxilliaryReferenceData,
    150 => LastTrade,
    151 => BestBidOffer,
    152 => TradeStatistics,
    153 => QuoteStatistics,
    154 => IndicatorPrices,
    155 => EndOfDayPrices,
    156 => OrderBook,
    157 => MarketMode,
    158 => OpenInterest,
    159 => FrontMonthContractUpdate,
    160 => DepthByOrder,
    161 => DepthByOrderEndEvent,
    162 => SymbolMarginRate,
    163 => OrderPriceLimits,
    201 => ResponseTimeBarUpdate,
    203 => ResponseTimeBarReplay,
    205 => ResponseTickBarUpdate,
    207 => ResponseTickBarReplay,
    209 => ResponseVolumeProfileMinuteBars,
    211 => ResponseResumeBars,
    250 => TimeBar,
    251 => TickBar,
    301 => ResponseLoginInfo,
    303 => ResponseAccountList,
    305 => ResponseAccountRmsInfo,
    307 => ResponseProductRmsInfo,
    309 => ResponseSubscribeForOrderUpdates,
    311 => ResponseTradeRoutes,
    313 => ResponseNewOrder,
    315 => ResponseModifyOrder,
    317 => ResponseCancelOrder,
    319 => ResponseShowOrderHistoryDates,
    321 => ResponseShowOrders,
    323 => ResponseShowOrderHistory,
    325 => ResponseShowOrderHistorySummary,
    327 => ResponseShowOrderHistoryDetail,
    329 => ResponseOcoOrder,
    331 => ResponseBracketOrder,
    333 => ResponseUpdateTargetBracketLevel,
    335 => ResponseUpdateStopBracketLevel,
    337 => ResponseSubscribeToBracketUpdates,
    339 => ResponseShowBrackets,
    341 => ResponseShowBracketStops,
    343 => ResponseListExchangePermissions,
    345 => ResponseLinkOrders,
    347 => ResponseCancelAllOrders,
    349 => ResponseEasyToBorrowList,
    350 => TradeRoute,
    351 => RithmicOrderNotification,
    352 => ExchangeOrderNotification,
    353 => BracketUpdates,
    355 => UpdateEasyToBorrowList,
    356 => AccountRmsUpdates,
    357 => UserInfoUpdate,
    358 => UserAccountUpdate,
    401 => ResponsePnLPositionUpdates,
    403 => ResponsePnLPositionSnapshot,
    450 => InstrumentPnLPositionUpdate,
    451 => AccountPnLPositionUpdate,
    501 => ResponseListUnacceptedAgreements,
    503 => ResponseListAcceptedAgreements,
    505 => ResponseAcceptAgreement,
    507 => ResponseShowAgreement,
    509 => ResponseSetRithmicMrktDataSelfCertStatus,
    3501 => ResponseModifyOrderReferenceData,
    3503 => ResponseOrderSessionConfig,
    3505 => ResponseExitPosition,
    3507 => ResponseReplayExecutions,
    3509 => ResponseAccountRmsUpdates,
    3511 => ResponseGetUserInfo,
    3513 => ResponseShowFillHistory,
}
